/*!
How a store is reached: `url`, `auth`, `tls` and `compression`, the same in every table that has them.

Secrets are never written into the configuration: they come from a file or from
the environment, and no error shows what was read.
*/

use std::path::PathBuf;

use hyper::Uri;
use rusty_s3::{Bucket, UrlStyle};

use super::expand::expand;
use super::read::{expanded, keys};
use crate::secret::Secret;
use crate::store::{Auth, Compression, Settings, Tls, TlsFiles};
use crate::yaml::{Field, Table};

/// The table's `url` and what belongs to it.
pub(super) fn endpoint(table: &Table<'_>) -> Option<Settings> {
    let url = url(table.need("url", "a URL such as https://store.example:9200")?);
    let auth = match table.find("auth") {
        Some(field) => auth(field),
        None => Some(Auth::default()),
    };
    let url = url?;
    let tls = match (url.scheme_str(), table.find("tls")) {
        (Some("https"), field) => Some(tls(field.unwrap_or(&table.of), field)?),
        (_, Some(field)) => return field.refuse("belongs to https://, and the url holds http://"),
        (_, None) => None,
    };
    Some(Settings { url, auth: auth?, tls, compression: compression(table)? })
}

fn url(field: &Field<'_>) -> Option<Uri> {
    let text = expanded(field)?;
    let url = text.parse::<Uri>().ok().filter(|url| url.host().is_some());
    let Some(url) = url else {
        return field.refuse("holds no URL, and may hold one such as https://store.example:9200");
    };
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return field.refuse("holds credentials, and may hold host and port alone; credentials go to auth");
    }
    match url.scheme_str() {
        Some("http" | "https") => Some(url),
        Some(_) | None => field.refuse("holds another scheme, and may hold https:// or http://"),
    }
}

/// The bucket that a table names behind `store`, addressed by its path, which all that speak S3 understand, unless the
/// table says otherwise. The store's address becomes that of the bucket's host: requests bring the path with them.
pub(super) fn bucket(table: &Table<'_>, store: &mut Settings) -> Option<Bucket> {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let plain = |text: &str| {
        (!text.is_empty() && !text.starts_with('.') && text.bytes().all(sign)).then(|| text.to_owned())
    };
    let named = |field: &Field<'_>| field.parse("a name of letters, digits, -, _ and .", plain);
    let name = table.need("bucket", "the name of a bucket").and_then(named);
    let region = table.find("region").map_or_else(|| Some("us-east-1".to_owned()), named);
    let style = table.find("addressing").map_or(Some(UrlStyle::Path), |field| {
        field.parse("path or host", |text| match text {
            "path" => Some(UrlStyle::Path),
            "host" => Some(UrlStyle::VirtualHost),
            _ => None,
        })
    });
    let (name, region, style) = (name?, region?, style?);
    let made = store.url.to_string().parse().ok();
    let made = made.and_then(|url| Bucket::new(url, style, name, region).ok()).and_then(|bucket| {
        let url = bucket.base_url();
        let host = format!("{}://{}/", url.scheme(), url.authority()).parse().ok()?;
        Some((bucket, host))
    });
    let Some((bucket, host)) = made else {
        return table.of.refuse("holds a url and a bucket that make no address together");
    };
    store.url = host;
    Some(bucket)
}

/// How bodies are packed.
pub(super) fn compression(table: &Table<'_>) -> Option<Compression> {
    let known = |text: &str| match text {
        "none" => Some(Compression::None),
        "gzip" => Some(Compression::Gzip),
        "zstd" => Some(Compression::Zstd),
        _ => None,
    };
    match table.find("compression") {
        Some(field) => field.parse("none, gzip or zstd", known),
        None => Some(Compression::None),
    }
}

/// One of `basic`, `bearer` and `header`.
fn auth(field: &Field<'_>) -> Option<Auth> {
    let table = field.table(keys("auth"))?;
    let ways = ["basic", "bearer", "header"].map(|way| table.find(way));
    match ways {
        [Some(basic), None, None] => {
            let basic = basic.table(keys("basic"))?;
            let user = basic.need("user", "a name").and_then(expanded);
            let password = basic.need("password", SECRET)?;
            let user = user?;
            line(field, password, move |password| Auth::basic(&user, password))
        }
        [None, Some(token), None] => line(field, token, Auth::bearer),
        [None, None, Some(header)] => {
            let header = header.table(keys("header"))?;
            let name = header.need("name", "the name of a header").and_then(Field::text);
            let value = header.need("value", SECRET)?;
            let name = name?.to_owned();
            line(field, value, move |value| Auth::header(&name, value))
        }
        _ => field.refuse("may hold one of basic, bearer and header"),
    }
}

/// The header line that `make` makes of the secret that a field names. It is made anew when the secret is another one.
pub(super) fn line(
    at: &Field<'_>,
    field: &Field<'_>,
    make: impl Fn(&Secret) -> Option<Auth> + Send + Sync + 'static,
) -> Option<Auth> {
    let Some(auth) = make(&secret(field)?) else {
        return at.refuse("holds what no header line can hold, such as a line end");
    };
    let text = field.text()?.to_owned();
    Some(auth.read_by(move || {
        let secret = expand(&text).ok().filter(|secret| !secret.is_empty())?;
        make(&Secret::new(secret.into_bytes()))
    }))
}

const SECRET: &str = "\"${file:PATH}\" or \"${env:NAME}\"";

/// A secret: the text of a file or of the environment. What is written may be the secret itself, so it is not shown.
pub(super) fn secret(field: &Field<'_>) -> Option<Secret> {
    secret_text(field).map(|secret| Secret::new(secret.into_bytes()))
}

/// The same for those who take text.
pub(super) fn secret_text(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    if !text.contains("${file:") && !text.contains("${env:") {
        return field.refuse(format!("holds a secret itself, and may hold {SECRET}"));
    }
    let secret = expanded(field)?;
    if secret.is_empty() {
        return field.refuse("leads to nothing, and may not be empty");
    }
    Some(secret)
}

/// TLS as a table says; `at` is where it is told of what fails.
pub(super) fn tls(at: &Field<'_>, field: Option<&Field<'_>>) -> Option<Tls> {
    let mut files = TlsFiles::default();
    if let Some(field) = field {
        let table = field.table(keys("tls"))?;
        let path = |key| table.find(key).and_then(Field::text).map(PathBuf::from);
        files.ca = path("ca");
        files.server_name = table.find("server_name").and_then(Field::text).map(str::to_owned);
        files.identity = match (path("cert"), path("key")) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => return field.refuse("holds one of cert and key, and may hold both or none"),
        };
    }
    Tls::load(files).map_or_else(|error| at.refuse(error.to_string()), Some)
}
