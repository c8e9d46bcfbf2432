/*!
The lines of objects, one by one, and out of them.

A page is one version of one object. A line is told from others by the digest of
what it holds. An object is written anew without lines only where its key says
how old it is ([`Lifecycle::Own`](super::Lifecycle::Own)): by a bucket's rules it
would begin a new life.
*/

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use hyper::header::{HeaderValue, IF_MATCH};
use sha2::{Digest, Sha256};

use super::S3;
use super::versions::{Behind, Version};
use crate::clock::Timestamp;
use crate::limit::STORE_PAGE_BYTES_MAX;
use crate::retention::driver::{Gone, Page, Stored, Unknown};
use crate::retention::store::Target;
use crate::store::{Compression, Request};

/// Which lines of which versions of one object.
#[derive(Default)]
struct Theirs {
    versions: BTreeSet<String>,
    digests: BTreeSet<String>,
}

impl S3 {
    pub(super) async fn page_now(
        &self,
        target: &Target,
        from: Option<&str>,
        now: Timestamp,
    ) -> Result<Page, Unknown> {
        let behind = from.and_then(|from| from.split_once('\n'));
        let behind =
            behind.map_or_else(Behind::default, |(key, id)| Behind { key: key.into(), id: id.into() });
        let (versions, next) = self.some_versions(&target.name, &behind, "1", now).await?;
        let (mut page, mut bytes) = (Page::default(), 0);
        for version in versions.iter().filter(|version| !version.marker) {
            // It expired meanwhile.
            let Some((lines, _)) = self.lines(version, now).await? else { continue };
            bytes += lines.len();
            if bytes > STORE_PAGE_BYTES_MAX {
                return Err(Unknown::new("it lists more versions at once than it was asked for"));
            }
            for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let mark = format!("{}\n{}\n{}", version.key, version.id, digest(line));
                page.records.push(Stored { mark, text: line.to_vec(), received: None });
            }
        }
        page.next = next.map(|behind| format!("{}\n{}", behind.key, behind.id));
        Ok(page)
    }

    /// The bytes of a version, unpacked, and its tag; nothing if it is gone.
    async fn lines(
        &self,
        version: &Version,
        now: Timestamp,
    ) -> Result<Option<(Vec<u8>, Option<HeaderValue>)>, Unknown> {
        let query = [("versionId", version.id.as_str())];
        let path = self.signed(rusty_s3::Method::Get, Some(&version.key), &query, now, None)?;
        let answer = self.ask.bytes(Request::get(path), STORE_PAGE_BYTES_MAX).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let lines = unpacked(packing(&version.key), &answer.body);
        let lines = lines.ok_or_else(|| Unknown::new("an object cannot be unpacked, or is too large"))?;
        Ok(Some((lines, answer.headers.get("etag").cloned())))
    }

    pub(super) async fn erase_now(&self, marks: &[String], now: Timestamp) -> Result<Gone, Unknown> {
        let mut objects: BTreeMap<&str, Theirs> = BTreeMap::new();
        for mark in marks {
            let mut parts = mark.splitn(3, '\n');
            let (Some(key), Some(id), Some(digest)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(Unknown::new("a line has no place"));
            };
            let theirs = objects.entry(key).or_default();
            theirs.versions.insert(id.to_owned());
            theirs.digests.insert(digest.to_owned());
        }
        let mut gone = Gone { records: marks.len() as u64, told: Vec::new() };
        for (key, theirs) in &objects {
            self.erase_in(key, theirs, now).await?;
        }
        gone.told.push(format!("{} objects written anew, with none of their versions before", objects.len()));
        Ok(gone)
    }

    async fn erase_in(&self, key: &str, theirs: &Theirs, now: Timestamp) -> Result<(), Unknown> {
        let (current, before) = self.theirs_of(key, theirs, now).await?;
        // Those before first: they would come back once the current one is deleted.
        for version in before {
            self.delete_version(&version, now).await?;
        }
        let Some(current) = current else { return Ok(()) };
        self.write_anew(&current, theirs, now).await?;
        // Listed again: where no versions are kept, what is there now is the new one.
        let (_, before) = self.theirs_of(key, theirs, now).await?;
        for version in before {
            self.delete_version(&version, now).await?;
        }
        Ok(())
    }

    /// Which versions of an object hold lines of theirs: the current one, and those before it.
    async fn theirs_of(
        &self,
        key: &str,
        theirs: &Theirs,
        now: Timestamp,
    ) -> Result<(Option<Version>, Vec<Version>), Unknown> {
        let versions = self.versions(key, now).await?.into_iter();
        let versions = versions
            .filter(|version| version.key == key && !version.marker && theirs.versions.contains(&version.id));
        let (current, before): (Vec<_>, Vec<_>) = versions.partition(|version| version.current);
        Ok((current.into_iter().next(), before))
    }

    async fn write_anew(&self, version: &Version, theirs: &Theirs, now: Timestamp) -> Result<(), Unknown> {
        let Some((lines, tag)) = self.lines(version, now).await? else { return Ok(()) };
        let mut left = Vec::with_capacity(lines.len());
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if !theirs.digests.contains(&digest(line.strip_suffix(b"\n").unwrap_or(line))) {
                left.extend_from_slice(line);
            }
        }
        if left.is_empty() {
            return self.delete_version(version, now).await;
        }
        let path = self.signed(rusty_s3::Method::Put, Some(&version.key), &[], now, None)?;
        let body: Bytes = packing(&version.key).pack(left.into());
        let mut request = Request::put(path, "application/x-ndjson", body).as_it_is();
        if let Some(tag) = tag {
            // Somebody who wrote meanwhile is not overwritten.
            request = request.header(IF_MATCH, tag);
        }
        match self.ask.bytes(request, STORE_PAGE_BYTES_MAX).await?.status {
            404 => Err(Unknown::new("an object was not written anew: it is gone")),
            _ => Ok(()),
        }
    }
}

fn digest(line: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(line))
}

fn packing(key: &str) -> Compression {
    match key.rsplit_once('.') {
        Some((_, "gz")) => Compression::Gzip,
        Some((_, "zst")) => Compression::Zstd,
        _ => Compression::None,
    }
}

/// The bytes of an object; nothing if they cannot be unpacked, or are beyond the bound of a page.
fn unpacked(packing: Compression, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let most = STORE_PAGE_BYTES_MAX as u64 + 1;
    match packing {
        Compression::None => out.write_all(bytes),
        Compression::Gzip => {
            flate2::read::MultiGzDecoder::new(bytes).take(most).read_to_end(&mut out).map(|_| ())
        }
        Compression::Zstd => zstd::Decoder::new(bytes).ok()?.take(most).read_to_end(&mut out).map(|_| ()),
    }
    .ok()?;
    (out.len() <= STORE_PAGE_BYTES_MAX).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_unpacked_within_a_bound() {
        let text = b"one\ntwo\n".to_vec();
        for key in ["a.ndjson", "a.ndjson.gz", "a.ndjson.zst"] {
            let packed = packing(key).pack(Bytes::from(text.clone()));
            assert_eq!(unpacked(packing(key), &packed), Some(text.clone()), "{key}");
        }
        let bomb = Compression::Zstd.pack(Bytes::from(vec![0; STORE_PAGE_BYTES_MAX + 1]));
        assert!(bomb.len() < 100_000 && unpacked(Compression::Zstd, &bomb).is_none());
        assert_eq!(unpacked(Compression::Gzip, b"none"), None);
    }
}
