/*!
`${env:NAME}`, `${env:NAME:-default}` and `${file:PATH}` in fields that hold an address or a secret.

What comes out is never shown: error texts and summaries show what is written.
*/

use std::io::Read;
use std::path::Path;

use crate::limit::SETTINGS_FILE_BYTES_MAX;

/// Replaces every `${…}` in `text`. The error says what is wrong, without a value.
pub(super) fn expand(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((inside, behind)) = after.split_once('}') else {
            return Err("holds ${ without its }".to_owned());
        };
        out.push_str(&value(inside)?);
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

/// The path of a text that is `${file:PATH}` and nothing else.
pub(super) fn file_path(text: &str) -> Option<&Path> {
    let path = text.strip_prefix("${file:")?.strip_suffix('}')?;
    (!path.is_empty() && !path.contains("${")).then(|| Path::new(path))
}

fn value(inside: &str) -> Result<String, String> {
    match inside.split_once(':') {
        Some(("env", name)) => environment(name),
        Some(("file", path)) => read(Path::new(path))
            .map(|text| text.trim_end_matches(['\n', '\r']).to_owned())
            .map_err(|error| format!("holds ${{file:{path}}}, which cannot be read: {error}")),
        Some(_) | None => Err(format!(
            "holds ${{{inside}}}, and may hold ${{env:NAME}}, ${{env:NAME:-default}} or ${{file:PATH}}"
        )),
    }
}

fn environment(name: &str) -> Result<String, String> {
    let (name, default) = match name.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (name, None),
    };
    match (std::env::var(name), default) {
        (Ok(value), _) if !value.is_empty() || default.is_none() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (_, None) => {
            Err(format!("holds ${{env:{name}}}, which is not set; set it, or write ${{env:{name}:-default}}"))
        }
    }
}

/// Reads a file of settings, of at most [`SETTINGS_FILE_BYTES_MAX`].
pub(super) fn read(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let bytes = file.take(SETTINGS_FILE_BYTES_MAX + 1).read_to_string(&mut text);
    match bytes.map_err(|error| error.to_string())? as u64 {
        0..=SETTINGS_FILE_BYTES_MAX => Ok(text),
        _ => Err(format!("it is longer than {SETTINGS_FILE_BYTES_MAX} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_values_from_outside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host");
        std::fs::write(&path, "localhost\n").unwrap();
        let text = format!("http://${{file:{}}}:${{env:LOGVEIL_NOT_SET:-80}}/x", path.display());
        assert_eq!(expand(&text).unwrap(), "http://localhost:80/x");
        assert_eq!(expand("plain $5 {x}").unwrap(), "plain $5 {x}");
        assert_eq!(expand("${env:CARGO_PKG_NAME}").unwrap(), "logveil");
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            ("${env:LOGVEIL_NOT_SET}", "holds ${env:LOGVEIL_NOT_SET}, which is not set; set it, or write"),
            ("${file:/none/at/all}", "holds ${file:/none/at/all}, which cannot be read: No such file"),
            ("${vault:x}", "holds ${vault:x}, and may hold"),
            ("a ${env:X", "holds ${ without its }"),
        ] {
            let error = expand(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_secret_is_named_by_one_path_alone() {
        assert_eq!(file_path("${file:/etc/kek}"), Some(Path::new("/etc/kek")));
        for text in ["/etc/kek", "${env:KEK}", "x${file:/etc/kek}", "${file:}", "${file:a}${file:b}"] {
            assert_eq!(file_path(text), None, "{text}");
        }
    }
}
