//! What a bucket lists of its objects: every version of each, and the markers that hide them.

use super::S3;
use super::xml::{of, unescaped};
use crate::clock::Timestamp;
use crate::limit::STORE_PAGES_MAX;
use crate::retention::driver::Unknown;
use crate::store::Request;

/// A version of an object, or a marker that hides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) key: String,
    /// `null` where the bucket keeps no versions.
    pub(super) id: String,
    pub(super) written: Timestamp,
    pub(super) current: bool,
    /// Whether it only hides what was there before.
    pub(super) marker: bool,
}

/// Behind which version a list goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Behind {
    pub(super) key: String,
    pub(super) id: String,
}

impl S3 {
    /// Every version and marker below a prefix, all pages of them.
    pub(super) async fn versions(&self, prefix: &str, now: Timestamp) -> Result<Vec<Version>, Unknown> {
        let (mut versions, mut behind) = (Vec::new(), Behind::default());
        for _ in 0..STORE_PAGES_MAX {
            let (page, next) = self.some_versions(prefix, &behind, "1000", now).await?;
            versions.extend(page);
            match next {
                Some(next) => behind = next,
                None => return Ok(versions),
            }
        }
        Err(Unknown(format!("it has more than {STORE_PAGES_MAX} pages of objects")))
    }

    /// So many of them, and behind which one there are more.
    pub(super) async fn some_versions(
        &self,
        prefix: &str,
        behind: &Behind,
        most: &str,
        now: Timestamp,
    ) -> Result<(Vec<Version>, Option<Behind>), Unknown> {
        let mut query = vec![
            ("key-marker", behind.key.as_str()),
            ("max-keys", most),
            ("prefix", prefix),
            ("version-id-marker", &behind.id),
            ("versions", ""),
        ];
        query.retain(|(name, value)| !name.ends_with("marker") || !value.is_empty());
        let path = self.signed(rusty_s3::Method::Get, None, &query, now, None)?;
        let (status, text, _) = self.ask.text(Request::get(path)).await?;
        if status == 404 || !text.contains("ListVersionsResult") {
            return Err(Unknown::new("it does not list the versions of its objects"));
        }
        let mut versions = Vec::new();
        for (tag, marker) in [("Version", false), ("DeleteMarker", true)] {
            for version in of(&text, tag) {
                let version = version_of(version, marker);
                versions.push(version.ok_or_else(|| Unknown::new("it lists an object without a moment"))?);
            }
        }
        match of(&text, "IsTruncated").first() {
            Some(&"false") => return Ok((versions, None)),
            Some(&"true") => {}
            _ => return Err(Unknown::new("it does not say whether its list of objects goes on")),
        }
        let next = |tag: &str| of(&text, tag).first().map(|text| unescaped(text)).unwrap_or_default();
        let next = Behind { key: next("NextKeyMarker"), id: next("NextVersionIdMarker") };
        if next.key.is_empty() || next == *behind {
            return Err(Unknown::new("its list of objects does not go on where it should"));
        }
        Ok((versions, Some(next)))
    }
}

fn version_of(version: &str, marker: bool) -> Option<Version> {
    let first = |tag: &str| of(version, tag).first().map(|text| unescaped(text.trim()));
    Some(Version {
        key: first("Key")?,
        id: first("VersionId").filter(|id| !id.is_empty()).unwrap_or_else(|| "null".to_owned()),
        written: first("LastModified")?.parse().ok()?,
        current: first("IsLatest")? == "true",
        marker,
    })
}
