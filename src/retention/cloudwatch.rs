/*!
CloudWatch Logs: a log group's `retentionInDays`.

Where it is not set, which is what a new group has, events never expire. Only
some numbers of days are taken, and what is expired goes up to 72 hours later,
so that 90 days are kept with 60. It deletes no single events and nothing by
time, but for whole streams and groups.
*/

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::ask::{Ask, Told, days};
use super::bound::{Effective, Grain, Lag, TooShort, What};
use super::driver::{Can, Doing, Driver, Page, Reading, Stored, Unknown, Wanted};
use super::span::DAY;
use super::store::Target;
use super::verdict::Oldest;
use crate::clock::Timestamp;
use crate::limit::{STORE_PAGE_BYTES_MAX, STORE_PAGE_RECORDS, STORE_PAGES_MAX};
use crate::store::{self, Request};

/// Which log group.
#[derive(Clone, PartialEq)]
pub struct Settings {
    /// `https://logs.REGION.amazonaws.com`.
    pub endpoint: store::Settings,
    /// The region that signatures name.
    pub region: String,
    /// The log group; may hold `{class}`.
    pub group: String,
    /// Who we are.
    pub keys: Credentials,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("region", &self.region)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// A log group.
#[derive(Debug)]
pub struct CloudWatch {
    settings: Settings,
    ask: Ask,
}

const RETENTION: &str = "retentionInDays";
/// What `PutRetentionPolicy` takes.
const DAYS: [u64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

impl Settings {
    /// What can be done.
    pub fn can() -> Can {
        let erase = Err("CloudWatch Logs deletes no single events");
        Can { set: Ok(()), own_deletion: false, find: Ok(()), erase }
    }

    /// What a limit needs.
    pub fn wants(limit: Duration) -> Result<Wanted, TooShort> {
        Wanted::within(limit, lags(), Grain::Days(&DAYS), |value| vec![days(RETENTION, value)])
    }
}

/// An access key of one's own, without a token.
pub fn keys(access: &str, secret: &str) -> Credentials {
    Credentials::new(access, secret, None, None, "logveil")
}

fn lags() -> Vec<Lag> {
    vec![Lag::new(What::Grace, 3 * DAY, "what is expired is deleted up to 72 hours later")]
}

impl CloudWatch {
    /// Asks nobody yet.
    pub fn new(settings: Settings) -> CloudWatch {
        CloudWatch { ask: Ask::new(&settings.endpoint), settings }
    }

    /// Asks for an operation of the interface `Logs_20140328`; what is not there is told as 404.
    async fn call(&self, operation: &str, body: &Value, now: Timestamp) -> Result<Told, Unknown> {
        let unsigned = |_: &dyn std::fmt::Debug| Unknown::new("a request cannot be signed");
        let (target, body) = (format!("Logs_20140328.{operation}"), body.to_string());
        let kind = "application/x-amz-json-1.1";
        let host = self.settings.endpoint.url.authority().map_or("", |authority| authority.as_str());
        let url = self.settings.endpoint.url.to_string();
        let identity = self.settings.keys.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.settings.region)
            .name("logs")
            .time(SystemTime::from(now))
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(&error))?
            .into();
        let headers = [("host", host), ("content-type", kind), ("x-amz-target", target.as_str())];
        let signable =
            SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()));
        let signed = sign(signable.map_err(|error| unsigned(&error))?, &parameters)
            .map_err(|error| unsigned(&error))?;
        let mut request = Request::post("", kind, body).as_it_is();
        let given = signed.output().headers().chain([("x-amz-target", target.as_str())]);
        for (name, value) in given {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| unsigned(&error))?;
            request = request.header(name, HeaderValue::from_str(value).map_err(|error| unsigned(&error))?);
        }
        self.ask.ask_up_to(request, STORE_PAGE_BYTES_MAX).await.map_err(|Unknown(why)| {
            // Wrong keys, wrong rights and groups that are not there are all 400 here.
            Unknown(match why.as_str() {
                "it answered 400" => {
                    "it answered 400: no such group, other credentials, or rights that miss".to_owned()
                }
                _ => why,
            })
        })
    }

    /// The group of exactly this name.
    async fn group(&self, name: &str, now: Timestamp) -> Result<(Value, Option<Timestamp>), Unknown> {
        let mut body = json!({ "logGroupNamePrefix": name });
        for _ in 0..STORE_PAGES_MAX {
            let told = self.call("DescribeLogGroups", &body, now).await?;
            let groups = told.json["logGroups"].as_array();
            let groups = groups.ok_or_else(|| Unknown::new("it does not list its groups"))?;
            if let Some(group) = groups.iter().find(|group| group["logGroupName"] == *name) {
                return Ok((group.clone(), told.now));
            }
            match told.json["nextToken"].as_str() {
                Some(next) => body["nextToken"] = json!(next),
                None => return Err(Unknown(format!("there is no log group {name}"))),
            }
        }
        Err(Unknown(format!("it lists more than {STORE_PAGES_MAX} pages of groups")))
    }

    async fn read_now(&self, target: &Target, now: Timestamp) -> Result<Reading, Unknown> {
        let (group, store_now) = self.group(&target.name, now).await?;
        let kept = group[RETENTION].as_u64().map(|days| DAY * u32::try_from(days).unwrap_or(u32::MAX));
        let effective = match kept {
            Some(kept) => Effective::new(kept, lags()),
            None => Effective::forever("retentionInDays is not set: events never expire"),
        };
        let settings = kept.map(|kept| days(RETENTION, kept)).into_iter().collect();
        let oldest = self.oldest(target, now).await?;
        let notes = vec!["exports, subscriptions and copies in S3 are not seen".to_owned()];
        Ok(Reading { effective, oldest, store_now, settings, stalled: None, notes })
    }

    /// The first event that it gives out: by time, and perhaps behind pages of none.
    async fn oldest(&self, target: &Target, now: Timestamp) -> Result<Oldest, Unknown> {
        let mut from = None::<String>;
        for _ in 0..STORE_PAGES_MAX {
            let told = self.events(target, from.as_deref(), 1, now).await?;
            if let Some(event) = told.json["events"].as_array().and_then(|events| events.first()) {
                return moment(event)
                    .map(Oldest::At)
                    .ok_or_else(|| Unknown::new("its oldest event has no moment"));
            }
            match told.json["nextToken"].as_str() {
                Some(next) => from = Some(next.to_owned()),
                None => return Ok(Oldest::Nothing),
            }
        }
        Err(Unknown(format!("its oldest event is behind more than {STORE_PAGES_MAX} pages")))
    }

    async fn events(
        &self,
        target: &Target,
        from: Option<&str>,
        most: usize,
        now: Timestamp,
    ) -> Result<Told, Unknown> {
        let mut body = json!({ "logGroupName": target.name, "startTime": 0, "limit": most });
        if let Some(from) = from {
            body["nextToken"] = json!(from);
        }
        let told = self.call("FilterLogEvents", &body, now).await?;
        match told.json["events"].is_array() {
            true => Ok(told),
            false => Err(Unknown::new("it does not give out its events")),
        }
    }

    async fn page_now(&self, target: &Target, from: Option<&str>, now: Timestamp) -> Result<Page, Unknown> {
        let told = self.events(target, from, STORE_PAGE_RECORDS, now).await?;
        let stored = |event: &Value| {
            let text =
                event["message"].as_str().ok_or_else(|| Unknown::new("it has an event without a message"))?;
            let mark = event["eventId"].as_str().unwrap_or_default().to_owned();
            Ok(Stored { mark, text: text.as_bytes().to_vec(), received: moment(event) })
        };
        let events = told.json["events"].as_array().map_or(&[][..], Vec::as_slice);
        let next = told.json["nextToken"].as_str().map(str::to_owned);
        let records: Result<Vec<Stored>, Unknown> = events.iter().map(stored).collect();
        Ok(Page { records: records?, next, total: None })
    }
}

/// The earlier of when an event happened and when it came: whichever its age is counted from.
fn moment(event: &Value) -> Option<Timestamp> {
    let at = |key: &str| event[key].as_i64().and_then(|at| Timestamp::from_millisecond(at).ok());
    at("timestamp").into_iter().chain(at("ingestionTime")).min()
}

impl Driver for CloudWatch {
    fn read<'a>(&'a self, target: &'a Target, now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(self.read_now(target, now))
    }

    fn set<'a>(&'a self, target: &'a Target, wanted: &'a Wanted, now: Timestamp) -> Doing<'a, Vec<String>> {
        Box::pin(async move {
            let body = json!({ "logGroupName": target.name, RETENTION: wanted.value.as_secs() / 86_400 });
            let told = self.call("PutRetentionPolicy", &body, now).await?;
            Ok(vec![format!("it answered {}", told.status)])
        })
    }

    fn page<'a>(&'a self, target: &'a Target, from: Option<&'a str>, now: Timestamp) -> Doing<'a, Page> {
        Box::pin(self.page_now(target, from, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninety_days_are_kept_with_sixty() {
        let wanted = Settings::wants(90 * DAY).unwrap();
        assert_eq!((wanted.value, wanted.effective.worst_case()), (60 * DAY, Some(63 * DAY)));
        assert_eq!(Settings::wants(93 * DAY).unwrap().value, 90 * DAY);
        assert_eq!(Settings::wants(3 * DAY).unwrap_err().least, 4 * DAY);
    }

    #[test]
    fn keys_are_never_shown() {
        let endpoint = store::Settings {
            url: "https://logs.eu-central-1.amazonaws.com".parse().unwrap(),
            auth: store::Auth::default(),
            tls: None,
            compression: store::Compression::None,
        };
        let keys = keys("zqplanted", "zqplanted");
        let settings = Settings { endpoint, region: "eu-central-1".into(), group: "logs".into(), keys };
        assert!(!format!("{settings:?} {:?}", CloudWatch::new(settings.clone())).contains("zqplanted"));
    }
}
