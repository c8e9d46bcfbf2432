/*!
OpenSearch: a policy of index state management (ISM) that deletes indices by
age, or, for plain indices without one, dated indices that logveil deletes.

`min_index_age` counts from an index's creation, so what is in an index is
never older than the index; `min_rollover_age` counts from its roll-over, and
the roll-over's own age comes on top. Changing a policy does not change the
indices that carry an older copy of it, so the copy that each index carries is
what is read.
*/

use std::time::Duration;

use serde_json::{Value, json};

use super::ask::{Ask, days, span};
use super::bound::{Effective, Grain, Lag, TooShort, What};
use super::driver::{Can, Deleted, Doing, Driver, Gone, Page, Reading, Unknown, Wanted};
use super::own::NOTHING_TO_SET;
use super::store::Target;
use super::{documents, indices};
use crate::clock::Timestamp;
use crate::store::{self, Request};

/// Which indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub endpoint: store::Settings,
    /// The beginning of the indices' names; may hold `{class}`.
    pub index: String,
    /// The field with the moment of receive. Default `received`.
    pub time_field: String,
    /// Who deletes.
    pub lifecycle: Lifecycle,
}

/// Who deletes indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// Index state management.
    Ism,
    /// Logveil: indices named `INDEX-2026.11.22`, a day each.
    Own,
}

/// Indices and their policy.
#[derive(Debug)]
pub struct OpenSearch {
    settings: Settings,
    ask: Ask,
}

const AGE: &str = "min_index_age of the delete state, in every index";
/// The job looks every 5 minutes, with a jitter, and each state takes a round.
const SWEEP: Duration = Duration::from_secs(3_600);

impl Settings {
    /// What can be done.
    pub fn can(&self) -> Can {
        let own_deletion = self.lifecycle == Lifecycle::Own;
        Can { set: Ok(()), own_deletion, find: Ok(()), erase: Ok(()) }
    }

    /// What a limit needs.
    pub fn wants(&self, limit: Duration) -> Result<Wanted, TooShort> {
        if self.lifecycle == Lifecycle::Own {
            return indices::wants(limit);
        }
        Wanted::within(limit, lags(), Grain::WHOLE_DAYS, |value| vec![days(AGE, value)])
    }
}

fn lags() -> Vec<Lag> {
    vec![Lag::new(What::Sweep, SWEEP, "the job of index management comes by every few minutes, once a state")]
}

impl OpenSearch {
    /// Asks nobody yet.
    pub fn new(settings: Settings) -> OpenSearch {
        OpenSearch { ask: Ask::new(&settings.endpoint), settings }
    }

    async fn read_ism(&self, target: &Target) -> Result<Reading, Unknown> {
        let found = indices::list(&self.ask, target).await?;
        let path = format!("/_plugins/_ism/explain/{}*?show_policy=true", target.name);
        let told = self.ask.ask(Request::get(path)).await?;
        if !told.is_there() && !found.is_empty() {
            return Err(Unknown::new("it does not know index state management"));
        }
        let (mut effective, mut value) = (None::<Effective>, None);
        for index in &found {
            let this = carried(&index.name, &told.json[&index.name]);
            let (worst, longest) = (this.worst_case(), effective.as_ref().map(Effective::worst_case));
            if longest.is_none_or(|longest| longest.is_some_and(|longest| worst.is_none_or(|w| w > longest)))
            {
                value = this.kept.span();
                effective = Some(this);
            }
        }
        let effective = match effective {
            Some(effective) => effective,
            None => self.template(target, &mut value).await?,
        };
        Ok(Reading {
            effective,
            oldest: indices::oldest(&self.ask, target, &self.settings.time_field, &found).await?,
            store_now: told.now,
            settings: value.map(|value| days(AGE, value)).into_iter().collect(),
            stalled: None,
            notes: vec!["snapshots are not seen".to_owned()],
        })
    }

    /// What the next index will carry, where there is none yet.
    async fn template(&self, target: &Target, value: &mut Option<Duration>) -> Result<Effective, Unknown> {
        let told =
            self.ask.ask(Request::get(format!("/_plugins/_ism/policies/{}", target.policy_id()))).await?;
        if !told.is_there() {
            return Ok(Effective::forever("no policy is set for its indices"));
        }
        let effective = of_policy(&told.json["policy"]);
        *value = effective.kept.span();
        Ok(effective)
    }

    async fn set_ism(&self, target: &Target, wanted: &Wanted) -> Result<Vec<String>, Unknown> {
        let id = target.policy_id();
        let path = format!("/_plugins/_ism/policies/{id}");
        let told = self.ask.ask(Request::get(path.clone())).await?;
        let version = match (told.json["_seq_no"].as_u64(), told.json["_primary_term"].as_u64()) {
            (Some(seq), Some(term)) if told.is_there() => format!("?if_seq_no={seq}&if_primary_term={term}"),
            _ => String::new(),
        };
        let body = policy(&target.name, wanted.value).to_string();
        let put = self.ask.ask(Request::put(format!("{path}{version}"), "application/json", body)).await?;
        let mut answers = vec![format!("policy {id}: it answered {}", put.status)];
        for (verb, body) in
            [("add", json!({ "policy_id": id })), ("change_policy", json!({ "policy_id": id }))]
        {
            let path = format!("/_plugins/_ism/{verb}/{}", target.pattern());
            let told = self.ask.ask(Request::post(path, "application/json", body.to_string())).await?;
            let updated = told.json["updated_indices"].as_u64().unwrap_or(0);
            answers.push(format!("{verb}: {updated} indices"));
        }
        Ok(answers)
    }
}

impl Driver for OpenSearch {
    fn read<'a>(&'a self, target: &'a Target, now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(async move {
            match self.settings.lifecycle {
                Lifecycle::Ism => self.read_ism(target).await,
                Lifecycle::Own => indices::read(&self.ask, target, &self.settings.time_field, now).await,
            }
        })
    }

    fn set<'a>(&'a self, target: &'a Target, wanted: &'a Wanted, _now: Timestamp) -> Doing<'a, Vec<String>> {
        Box::pin(async move {
            match self.settings.lifecycle {
                Lifecycle::Ism => self.set_ism(target, wanted).await,
                Lifecycle::Own => Ok(vec![NOTHING_TO_SET.to_owned()]),
            }
        })
    }

    fn delete_before<'a>(
        &'a self,
        target: &'a Target,
        before: Timestamp,
        _now: Timestamp,
        deleted: &'a mut Deleted,
    ) -> Doing<'a, ()> {
        Box::pin(indices::delete_before(&self.ask, target, before, deleted))
    }

    fn page<'a>(&'a self, target: &'a Target, from: Option<&'a str>, _now: Timestamp) -> Doing<'a, Page> {
        Box::pin(async move { documents::fresh_page(&self.ask, &target.pattern(), from).await })
    }

    fn erase<'a>(&'a self, _target: &'a Target, marks: &'a [String], _now: Timestamp) -> Doing<'a, Gone> {
        Box::pin(documents::erase(&self.ask, marks))
    }
}

/// What deletes the indices of this name at an age.
fn policy(name: &str, age: Duration) -> Value {
    let age = format!("{}d", age.as_secs() / 86_400);
    json!({ "policy": {
        "description": "set by logveil; logveil verifies it",
        "default_state": "keep",
        "states": [
            { "name": "keep", "actions": [],
              "transitions": [{ "state_name": "delete", "conditions": { "min_index_age": age } }] },
            { "name": "delete", "actions": [{ "delete": {} }], "transitions": [] },
        ],
        // Of two patterns that an index has the longer one is meant.
        "ism_template": [{ "index_patterns": [format!("{name}*")], "priority": 100 + name.len() }],
    }})
}

/// What an index carries, by its explanation.
fn carried(index: &str, told: &Value) -> Effective {
    let id = ["index.plugins.index_state_management.policy_id", "policy_id"];
    if !id.iter().any(|key| told[*key].is_string()) {
        return Effective::forever(format!("index {index} has no policy"));
    }
    if told["enabled"] == Value::Bool(false) {
        return Effective::forever(format!("the policy of index {index} is switched off"));
    }
    if told["action"]["failed"] == Value::Bool(true) || told["step"]["step_status"] == "failed" {
        return Effective::forever(format!("the policy of index {index} has failed and waits for a retry"));
    }
    of_policy(&told["policy"])
}

/// The age at which a policy deletes. Only the first state leads there, straight.
fn of_policy(policy: &Value) -> Effective {
    let states = policy["states"].as_array().map_or(&[][..], Vec::as_slice);
    let named = |name: &Value| states.iter().find(|state| state["name"] == *name);
    let deletes = |state: &Value| {
        let actions = state["actions"].as_array();
        actions.is_some_and(|actions| actions.iter().any(|action| action.get("delete").is_some()))
    };
    let Some(first) = named(&policy["default_state"]) else {
        return Effective::forever("its policy has no first state");
    };
    let transitions = first["transitions"].as_array().map_or(&[][..], Vec::as_slice);
    let last = transitions.iter().find(|to| named(&to["state_name"]).is_some_and(deletes));
    let Some(conditions) = last.map(|last| &last["conditions"]) else {
        return Effective::forever("its policy does not lead from the first state to one that deletes");
    };
    let age = |key: &str| conditions[key].as_str().and_then(span);
    let mut lags = lags();
    match (age("min_index_age"), age("min_rollover_age")) {
        (Some(age), _) => Effective::new(age, lags),
        (None, Some(age)) => {
            let actions = first["actions"].as_array().map_or(&[][..], Vec::as_slice);
            let rollover =
                actions.iter().find_map(|action| span(action["rollover"]["min_index_age"].as_str()?));
            let Some(rollover) = rollover else {
                return Effective::forever(
                    "min_rollover_age counts from a roll-over that no age brings about",
                );
            };
            lags.insert(0, Lag::new(What::RollOver, rollover, "min_rollover_age counts from the roll-over"));
            Effective::new(age, lags)
        }
        (None, None) => Effective::forever("its policy deletes by something other than age"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::Kept;
    use crate::retention::span::DAY;

    fn deleting(conditions: Value, actions: Value) -> Value {
        json!({
            "default_state": "hot",
            "states": [
                { "name": "hot", "actions": actions, "transitions": [{ "state_name": "gone", "conditions": conditions }] },
                { "name": "gone", "actions": [{ "delete": {} }], "transitions": [] },
            ],
        })
    }

    #[test]
    fn our_own_policy_is_read_as_what_was_wanted() {
        let body = policy("logs-access", 89 * DAY);
        assert_eq!(of_policy(&body["policy"]), Effective::new(89 * DAY, lags()));
    }

    #[test]
    fn the_age_from_a_roll_over_comes_on_top() {
        let rolled = json!([{ "rollover": { "min_index_age": "7d", "min_size": "50gb" } }]);
        let effective = of_policy(&deleting(json!({ "min_rollover_age": "90d" }), rolled));
        assert_eq!(effective.worst_case(), Some(97 * DAY + SWEEP));
        let unbounded = json!([{ "rollover": { "min_size": "50gb" } }]);
        let effective = of_policy(&deleting(json!({ "min_rollover_age": "90d" }), unbounded));
        assert!(matches!(effective.kept, Kept::Forever(_)));
    }

    #[test]
    fn what_does_not_delete_by_age_is_without_end() {
        let sized = deleting(json!({ "min_size": "5gb" }), json!([]));
        let aged = deleting(json!({ "min_index_age": "90d" }), json!([]));
        for told in [
            json!({}),
            json!({ "policy_id": "p", "enabled": false, "policy": aged }),
            json!({ "policy_id": "p", "enabled": true, "action": { "failed": true }, "policy": aged }),
            json!({ "policy_id": "p", "enabled": true, "policy": sized }),
            json!({ "policy_id": "p", "enabled": true, "policy": {} }),
        ] {
            assert!(matches!(carried("logs", &told).kept, Kept::Forever(_)), "{told}");
        }
        assert!(
            carried("logs", &json!({ "policy_id": "p", "enabled": true, "policy": aged }))
                .worst_case()
                .is_some()
        );
    }
}
