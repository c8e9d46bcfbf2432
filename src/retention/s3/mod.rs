/*!
S3 and what speaks as it does: a lifecycle rule for a prefix.

`Expiration.Days` is rounded up to the next midnight (UTC), a daily sweep comes
after that. In a bucket with versions it only hides an object behind a delete
marker: what was there stays as a noncurrent version until
`NoncurrentVersionExpiration` has run, with a rounding and a sweep of its own.
Object lock forbids deletion whatever the rules say. Without rules logveil deletes
by itself what is named by its hour ([`Lifecycle::Own`]).

An object's age is that of its last write; the records in it came up to
[`Settings::spans`] before. A rule that also filters by tag or size deletes some
objects only, and is no rule here.
*/

mod own;
mod records;
mod versions;
mod xml;

use std::time::Duration;

use data_encoding::BASE64;
use hyper::header::{HeaderName, HeaderValue};
use rusty_s3::Bucket;
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::keys::belief::subtract;
use crate::limit::STORE_WAIT;
use crate::retention::ask::{Ask, days};
use crate::retention::bound::{Effective, Grain, Kept, Lag, TooShort, What};
use crate::retention::driver::{Can, Deleted, Doing, Driver, Gone, Page, Reading, Unknown, Wanted};
use crate::retention::own::NOTHING_TO_SET;
use crate::retention::span::DAY;
use crate::retention::store::Target;
use crate::store::{self, Request};

use xml::{escaped, of, unescaped};

/// Which objects.
#[derive(Clone, PartialEq)]
pub struct Settings {
    /// Where the interface is.
    pub endpoint: store::Settings,
    /// The bucket, its region, and how it is addressed.
    pub bucket: Bucket,
    /// What the objects' keys begin with; may hold `{class}`.
    pub prefix: String,
    /// Access key and secret key.
    pub keys: Keys,
    /// How long before its last write an object's first record came, at most. Default 1 hour.
    pub spans: Duration,
    /// Who deletes.
    pub lifecycle: Lifecycle,
}

/// Who deletes objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// The bucket, by a rule for the prefix.
    Rules,
    /// Logveil: objects named `PREFIX2026-11-22/10/NAME`, with all their versions.
    Own,
}

/// Access key and secret key. The `Debug` of its holder shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Public.
    pub access: String,
    /// Not.
    pub secret: String,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("bucket", &self.bucket.name()).field("prefix", &self.prefix).finish()
    }
}

/// Objects of a bucket.
#[derive(Debug)]
pub struct S3 {
    settings: Settings,
    ask: Ask,
}

const DAYS: &str = "Expiration.Days";
const NONCURRENT: &str = "NoncurrentVersionExpiration.NoncurrentDays";

impl Settings {
    /// What can be done.
    pub fn can(&self) -> Can {
        let own = self.lifecycle == Lifecycle::Own;
        let erase = match self.lifecycle {
            Lifecycle::Own => Ok(()),
            Lifecycle::Rules => {
                Err("an object that is written anew would begin a new life under the bucket's rules")
            }
        };
        Can { set: Ok(()), own_deletion: own, find: Ok(()), erase }
    }

    /// What a limit needs, whether the bucket keeps versions or not.
    pub fn wants(&self, limit: Duration) -> Result<Wanted, TooShort> {
        if self.lifecycle == Lifecycle::Own {
            return own::wants(limit);
        }
        let settings = |value| vec![days(DAYS, value), days(NONCURRENT, DAY)];
        Wanted::within(limit, self.lags(Some(DAY)), Grain::WHOLE_DAYS, settings)
    }

    fn lags(&self, noncurrent: Option<Duration>) -> Vec<Lag> {
        let mut lags = vec![
            Lag::new(What::RollOver, self.spans, "an object's first record is older than the object"),
            Lag::new(What::Rounding, DAY, "days are rounded up to the next midnight"),
            Lag::new(What::Sweep, DAY, "a sweep a day"),
        ];
        if let Some(noncurrent) = noncurrent {
            let why = "an expired object stays as a noncurrent version, rounded and swept once more";
            lags.push(Lag::new(What::Grace, noncurrent + 2 * DAY, why));
        }
        lags
    }
}

impl S3 {
    /// Asks nobody yet.
    pub fn new(settings: Settings) -> S3 {
        S3 { ask: Ask::new(&settings.endpoint), settings }
    }

    /// A request signed in its URL.
    fn signed(
        &self,
        method: rusty_s3::Method,
        key: Option<&str>,
        query: &[(&str, &str)],
        now: Timestamp,
        sum: Option<&str>,
    ) -> Result<String, Unknown> {
        let bucket = &self.settings.bucket;
        let url = match key {
            Some(key) => bucket.object_url(key),
            None => bucket.base_url().clone(),
        };
        let headers = sum.map(|sum| ("x-amz-checksum-sha256", sum));
        let keys = &self.settings.keys;
        let url = rusty_s3::signing::sign(
            &now,
            method,
            url,
            &keys.access,
            &keys.secret,
            None,
            bucket.region(),
            STORE_WAIT.as_secs() * 3,
            query.iter().copied(),
            headers.into_iter(),
        );
        Ok(format!("{}?{}", url.path(), url.query().unwrap_or_default()))
    }

    /// The text of a part of the bucket's configuration; `None` if it is not there.
    async fn part(&self, name: &str, now: Timestamp) -> Result<(Option<String>, Option<Timestamp>), Unknown> {
        let path = self.signed(rusty_s3::Method::Get, None, &[(name, "")], now, None)?;
        let (status, text, store_now) = self.ask.text(Request::get(path)).await?;
        if status == 404 && text.contains("<Code>NoSuchBucket</Code>") {
            return Err(Unknown::new("there is no such bucket"));
        }
        Ok(((status != 404).then_some(text), store_now))
    }

    async fn read_now(&self, target: &Target, now: Timestamp) -> Result<Reading, Unknown> {
        match self.settings.lifecycle {
            Lifecycle::Rules => self.read_rules(target, now).await,
            Lifecycle::Own => {
                // Tells of a bucket that is not there, and what its clock shows.
                let (_, store_now) = self.part("versioning", now).await?;
                let mut notes = Vec::new();
                let (mut effective, oldest, stalled) = self.read_own(target, now).await?;
                self.lock(now, &mut effective, &mut notes).await?;
                self.copies(now, &mut notes).await;
                let settings = own::wants(target.limit()).map(|wanted| wanted.settings).unwrap_or_default();
                Ok(Reading { effective, oldest, store_now, settings, stalled, notes })
            }
        }
    }

    async fn read_rules(&self, target: &Target, now: Timestamp) -> Result<Reading, Unknown> {
        let (rules, store_now) = self.part("lifecycle", now).await?;
        let (versioning, _) = self.part("versioning", now).await?;
        let versioning = versioning.filter(|text| text.contains("Versioning"));
        let versioning =
            versioning.ok_or_else(|| Unknown::new("it does not say whether it keeps versions"))?;
        let versioned = !of(&versioning, "Status").is_empty();
        let rules = rules.as_deref().map_or(Vec::new(), |text| of(text, "Rule"));
        let rules = rules.into_iter().filter_map(|rule| Rule::of(rule, &target.name));
        let rule = rules.reduce(Rule::and);
        let mut settings = Vec::new();
        let mut effective = match &rule {
            None => Effective::forever("no rule is in force that deletes every object of the prefix"),
            Some(Rule { noncurrent: None, .. }) if versioned => {
                Effective::forever("the bucket keeps versions, and no rule deletes those that are noncurrent")
            }
            Some(rule) => Effective::new(
                DAY * rule.days,
                self.settings.lags(rule.noncurrent.filter(|_| versioned).map(|days| DAY * days)),
            ),
        };
        if let Some(rule) = &rule {
            settings.push(days(DAYS, DAY * rule.days));
            settings.extend(rule.noncurrent.map(|noncurrent| days(NONCURRENT, DAY * noncurrent)));
        }
        let mut notes = Vec::new();
        self.lock(now, &mut effective, &mut notes).await?;
        self.copies(now, &mut notes).await;
        let versions = self.versions(&target.name, now).await?;
        let oldest =
            versions.into_iter().filter(|version| !version.marker).map(|version| version.written).min();
        let oldest = oldest.map(|at| subtract(at, self.settings.spans)).into();
        Ok(Reading { effective, oldest, store_now, settings, stalled: None, notes })
    }

    async fn copies(&self, now: Timestamp, notes: &mut Vec<String>) {
        if matches!(self.part("replication", now).await, Ok((Some(_), _))) {
            notes.push("it is copied to another bucket, which has rules of its own".to_owned());
        }
    }

    /// A lock by default that is longer than the rules makes the rules of no effect.
    async fn lock(
        &self,
        now: Timestamp,
        effective: &mut Effective,
        notes: &mut Vec<String>,
    ) -> Result<(), Unknown> {
        let lock = match self.part("object-lock", now).await {
            Ok((Some(lock), _)) => lock,
            Ok((None, _)) => return Ok(()),
            Err(Unknown(why)) => {
                return Err(Unknown(format!("it does not say whether objects are locked: {why}")));
            }
        };
        if !lock.contains("<ObjectLockEnabled>Enabled</ObjectLockEnabled>") {
            return Ok(());
        }
        notes.push("objects that are locked, or held, are not deleted by any rule".to_owned());
        let locked =
            locked(&lock).ok_or_else(|| Unknown::new("it does not say how long objects are locked"))?;
        if let Kept::For(kept) = &mut effective.kept {
            *kept = (*kept).max(locked);
        }
        Ok(())
    }

    async fn set_now(
        &self,
        target: &Target,
        wanted: &Wanted,
        now: Timestamp,
    ) -> Result<Vec<String>, Unknown> {
        if self.settings.lifecycle == Lifecycle::Own {
            return Ok(vec![NOTHING_TO_SET.to_owned()]);
        }
        let (rules, _) = self.part("lifecycle", now).await?;
        let own = format!("<ID>{}</ID>", escaped(&target.policy_id()));
        let others: Vec<&str> = rules
            .as_deref()
            .map_or(Vec::new(), |text| of(text, "Rule"))
            .into_iter()
            .filter(|rule| !rule.contains(&own))
            .collect();
        let mut body =
            String::from("<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        others.iter().for_each(|rule| body += &format!("<Rule>{rule}</Rule>"));
        body += &format!(
            "<Rule>{own}<Filter><Prefix>{}</Prefix></Filter><Status>Enabled</Status><Expiration><Days>{}</Days>\
             </Expiration><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>\
             <AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>\
             </AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>",
            escaped(&target.name),
            wanted.value.as_secs() / 86_400
        );
        let sum = BASE64.encode(&Sha256::digest(body.as_bytes()));
        let path = self.signed(rusty_s3::Method::Put, None, &[("lifecycle", "")], now, Some(&sum))?;
        let value = HeaderValue::from_str(&sum).map_err(|_| Unknown::new("a checksum is no header"))?;
        let request = Request::put(path, "application/xml", body)
            .header(HeaderName::from_static("x-amz-checksum-sha256"), value)
            .as_it_is();
        let (status, _, _) = self.ask.text(request).await?;
        let left = others.len();
        Ok(vec![format!("lifecycle: it answered {status}; {left} rules of others were left as they are")])
    }
}

impl Driver for S3 {
    fn read<'a>(&'a self, target: &'a Target, now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(self.read_now(target, now))
    }

    fn set<'a>(&'a self, target: &'a Target, wanted: &'a Wanted, now: Timestamp) -> Doing<'a, Vec<String>> {
        Box::pin(self.set_now(target, wanted, now))
    }

    fn delete_before<'a>(
        &'a self,
        target: &'a Target,
        before: Timestamp,
        now: Timestamp,
        deleted: &'a mut Deleted,
    ) -> Doing<'a, ()> {
        Box::pin(self.delete_own(target, before, now, deleted))
    }

    fn page<'a>(&'a self, target: &'a Target, from: Option<&'a str>, now: Timestamp) -> Doing<'a, Page> {
        Box::pin(self.page_now(target, from, now))
    }

    fn erase<'a>(&'a self, _target: &'a Target, marks: &'a [String], now: Timestamp) -> Doing<'a, Gone> {
        Box::pin(self.erase_now(marks, now))
    }
}

/// For how long a bucket locks its objects by default; nothing if that cannot be read.
fn locked(lock: &str) -> Option<Duration> {
    let days = |tag: &str, each: u32| match of(lock, tag).first() {
        Some(text) => text.trim().parse::<u32>().ok()?.checked_mul(each),
        None => Some(0),
    };
    Some(DAY * days("Days", 1)?.checked_add(days("Years", 366)?)?)
}

/// A rule that is in force and deletes every object of a prefix.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    days: u32,
    noncurrent: Option<u32>,
}

impl Rule {
    /// Both are carried out, so the shorter of each holds.
    fn and(self, other: Rule) -> Rule {
        let noncurrent = match (self.noncurrent, other.noncurrent) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Rule { days: self.days.min(other.days), noncurrent }
    }

    fn of(rule: &str, target: &str) -> Option<Rule> {
        let first = |text: &str, tag: &str| of(text, tag).first().map(|text| unescaped(text.trim()));
        if first(rule, "Status")? != "Enabled" {
            return None;
        }
        // By tag or by size: some objects only.
        if ["Tag", "And", "ObjectSizeGreaterThan", "ObjectSizeLessThan"]
            .iter()
            .any(|tag| !of(rule, tag).is_empty())
        {
            return None;
        }
        let prefix = first(rule, "Prefix").unwrap_or_default();
        if !target.starts_with(&prefix) {
            return None;
        }
        let number =
            |part: &str, tag: &str| -> Option<u32> { first(of(rule, part).first()?, tag)?.parse().ok() };
        let newer = of(rule, "NewerNoncurrentVersions").is_empty();
        Some(Rule {
            days: number("Expiration", "Days")?,
            noncurrent: number("NoncurrentVersionExpiration", "NoncurrentDays").filter(|_| newer),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_as_long_as_it_says_or_unknown() {
        for (lock, days) in [("", 0), ("<Days>30</Days>", 30), ("<Years>2</Years>", 732)] {
            assert_eq!(locked(lock), Some(DAY * days), "{lock}");
        }
        for lock in [
            "<Days>soon</Days>",
            "<Days>-1</Days>",
            "<Years>4294967295</Years>",
            "<Years>99999999999</Years>",
        ] {
            assert_eq!(locked(lock), None, "{lock}");
        }
    }

    #[test]
    fn a_rule_counts_only_if_it_deletes_every_object() {
        let rule = |filter: &str, more: &str| {
            format!(
                "<ID>a</ID><Filter>{filter}</Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration>{more}"
            )
        };
        let good = Some(Rule { days: 30, noncurrent: None });
        assert_eq!(Rule::of(&rule("<Prefix>logs/</Prefix>", ""), "logs/access/"), good);
        assert_eq!(Rule::of(&rule("<Prefix></Prefix>", ""), "logs/"), good);
        let noncurrent =
            "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays></NoncurrentVersionExpiration>";
        assert_eq!(Rule::of(&rule("", noncurrent), "logs/"), Some(Rule { days: 30, noncurrent: Some(2) }));
        for other in [
            rule("<Prefix>logs/access/</Prefix>", ""),
            rule("<And><Prefix>logs/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And>", ""),
            rule("<ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>", ""),
            rule("<Prefix>logs/</Prefix>", "").replace("Enabled", "Disabled"),
            rule("<Prefix>logs/</Prefix>", "").replace("<Days>30</Days>", "<Date>2030-01-01</Date>"),
        ] {
            assert_eq!(Rule::of(&other, "logs/"), None, "{other}");
        }
    }
}
