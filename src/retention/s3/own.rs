/*!
Objects that logveil deletes by itself, where the bucket has no rules for them.

Only a key that is wholly `PREFIX2026-11-22/10/NAME` is ever deleted: the hour of
receipt that the sink writes, so that neither a late write nor a new version
makes an object younger. It goes with all its versions and the markers that hide
them, and is deleted again as long as it is listed.
*/

use std::time::Duration;

use super::S3;
use super::versions::Version;
use crate::clock::Timestamp;
use crate::keys::belief::subtract;
use crate::retention::bound::{Effective, TooShort};
use crate::retention::driver::{Deleted, Unknown, Wanted};
use crate::retention::own;
use crate::retention::span::HOUR;
use crate::retention::store::Target;
use crate::retention::verdict::Oldest;
use crate::store::Request;

/// What a limit needs: an hour's objects go once their first record is this old.
pub(super) fn wants(limit: Duration) -> Result<Wanted, TooShort> {
    own::wants(limit, HOUR)
}

impl S3 {
    /// What the objects amount to. One that is not named by its hour is deleted by nobody.
    pub(super) async fn read_own(
        &self,
        target: &Target,
        now: Timestamp,
    ) -> Result<(Effective, Oldest, Option<String>), Unknown> {
        let versions = self.versions(&target.name, now).await?;
        Ok(reading(&versions, target, self.settings.spans, now))
    }

    /// Deletes every version of the hours that began before `before`.
    pub(super) async fn delete_own(
        &self,
        target: &Target,
        before: Timestamp,
        now: Timestamp,
        deleted: &mut Deleted,
    ) -> Result<(), Unknown> {
        for version in self.versions(&target.name, now).await? {
            if hour(&version.key, &target.name).is_some_and(|hour| hour < before) {
                let gone = self.delete_version(&version, now).await;
                deleted.note(version.key, gone);
            }
        }
        deleted.whole()
    }

    pub(super) async fn delete_version(&self, version: &Version, now: Timestamp) -> Result<(), Unknown> {
        let query = [("versionId", version.id.as_str())];
        let path = self.signed(rusty_s3::Method::Delete, Some(&version.key), &query, now, None)?;
        self.ask
            .text(Request::delete(path))
            .await
            .map(|_| ())
            .map_err(|Unknown(why)| Unknown(format!("an object was not deleted: {why}; it may be locked")))
    }
}

fn reading(
    versions: &[Version],
    target: &Target,
    spans: Duration,
    now: Timestamp,
) -> (Effective, Oldest, Option<String>) {
    let value = wants(target.limit()).ok().map(|wanted| wanted.value);
    let of = |version: &Version| hour(&version.key, &target.name);
    let undated = versions.iter().filter(|version| of(version).is_none()).count();
    let effective = match undated {
        0 => own::effective(value),
        1.. => Effective::forever(format!(
            "{undated} objects are not named {}YYYY-MM-DD/HH/NAME, and only such are deleted",
            target.name
        )),
    };
    // A marker holds no record.
    let kept = versions.iter().filter(|version| !version.marker);
    let begun = kept.map(|version| of(version).unwrap_or_else(|| subtract(version.written, spans)));
    let oldest = begun.min().into();
    let due = own::gone_before(value, now);
    let late = versions.iter().find(|version| of(version).zip(due).is_some_and(|(hour, due)| hour < due));
    let stalled = late.map(|version| own::stalled(&version.key));
    (effective, oldest, stalled)
}

/// The hour of `PREFIX2026-11-22/10/NAME`; nothing if the key is no such name.
pub(super) fn hour(key: &str, prefix: &str) -> Option<Timestamp> {
    let dated = key.strip_prefix(prefix)?;
    let (date, rest) = dated.split_once('/')?;
    let (hour, name) = rest.split_once('/')?;
    let digits = |text: &str, dashes: &[usize]| {
        text.bytes().enumerate().all(|(at, byte)| match dashes.contains(&at) {
            true => byte == b'-',
            false => byte.is_ascii_digit(),
        })
    };
    let named = date.len() == 10 && digits(date, &[4, 7]) && hour.len() == 2 && digits(hour, &[]);
    if !named || name.is_empty() || name.contains('/') {
        return None;
    }
    format!("{date}T{hour}:00:00Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ttl::Ttl;

    #[test]
    fn only_names_of_an_hour_are_ours() {
        let at = |key: &str| hour(key, "logs/access/");
        assert_eq!(at("logs/access/2026-11-22/10/a-5.ndjson.zst"), "2026-11-22T10:00:00Z".parse().ok());
        for other in [
            "logs/access/2026-11-22/10/",
            "logs/access/2026-11-22/10",
            "logs/access/2026-11-22/24/a",
            "logs/access/2026-11-31/10/a",
            "logs/access/2026.11.22/10/a",
            "logs/access/2026-11-22/10/a/b",
            "logs/access/keep/2026-11-22/10/a",
            "logs/access2/2026-11-22/10/a",
            "logs/access/+026-11-22/10/a",
            "other/2026-11-22/10/a",
        ] {
            assert_eq!(at(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_not_named_so_is_found() {
        let target = Target {
            name: "logs/".into(),
            classes: vec![("access".into(), Ttl::days(90))],
            others: Vec::new(),
        };
        let now: Timestamp = "2026-11-22T10:30:00Z".parse().unwrap();
        let version = |key: &str| Version {
            key: key.into(),
            id: "null".into(),
            written: now,
            current: true,
            marker: false,
        };
        let of = |key: &str| reading(&[version(key)], &target, HOUR, now);
        let (effective, oldest, stalled) = of("logs/2026-11-01/00/a");
        assert!(effective.worst_case() <= Some(target.limit()) && stalled.is_none());
        assert_eq!(oldest, Oldest::At("2026-11-01T00:00:00Z".parse().unwrap()), "whenever it was written");
        let (effective, oldest, _) = of("logs/else");
        assert_eq!((effective.worst_case(), oldest), (None, Oldest::At(subtract(now, HOUR))));
        assert!(of("logs/2026-08-01/00/a").2.is_some());
    }
}
