/*!
Lines of container logs: what a runtime writes around each line that a container says.

- CRI (containerd, CRI-O): `2026-01-02T03:04:05.678901234Z stdout F text`. The tag `P` says that the runtime split the
  line, and that its next line of the same stream goes on with it.
- Docker's json-file: `{"log":"text\n","stream":"stdout","time":"2026-01-02T03:04:05.678901234Z"}`. Without a line feed at
  its end the text goes on.

A line that is neither is no container's: it is a record as it stands.
*/

use std::borrow::Cow;

use super::syslog::time::rfc3339;
use crate::clock::Timestamp;
use crate::structure::document::Value;

/// Which of a container's two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// One line of a container's log.
pub struct Line<'a> {
    /// When the runtime read it.
    pub time: Option<Timestamp>,
    /// Where it was written.
    pub output: Output,
    /// Whether the next line of the same output goes on with it.
    pub is_partial: bool,
    /// What the container said.
    pub text: Cow<'a, [u8]>,
}

impl Output {
    /// As both formats call it.
    pub fn name(self) -> &'static str {
        match self {
            Output::Out => "stdout",
            Output::Err => "stderr",
        }
    }

    fn named(name: &[u8]) -> Option<Output> {
        [Output::Out, Output::Err].into_iter().find(|output| output.name().as_bytes() == name)
    }
}

/// Reads a line of CRI.
pub fn cri(line: &[u8]) -> Option<Line<'_>> {
    let (time, at) = rfc3339(line)?;
    let rest = line[at..].strip_prefix(b" ")?;
    let (output, rest) = word(rest)?;
    // More tags may follow the first one, after colons.
    let (tags, text) = word(rest).unwrap_or((rest, b""));
    let is_partial = match tags.split(|b| *b == b':').next() {
        Some(b"P") => true,
        Some(b"F") => false,
        _ => return None,
    };
    Some(Line { time: Some(time), output: Output::named(output)?, is_partial, text: text.into() })
}

/// Reads a line of Docker's json-file.
pub fn docker(line: &[u8]) -> Option<Line<'_>> {
    let object = Value::whole(line)?;
    let text = object.get("log")?.string()?;
    let output = Output::named(&object.get("stream")?.string()?)?;
    let time =
        object.get("time").and_then(Value::string).and_then(|time| rfc3339(&time)).map(|(time, _)| time);
    let is_partial = !text.ends_with(b"\n");
    let end = |text: &[u8]| {
        let feed = text.len() - usize::from(!is_partial);
        feed - usize::from(!is_partial && text[..feed].ends_with(b"\r"))
    };
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..end(text)]),
        Cow::Owned(mut text) => {
            text.truncate(end(&text));
            Cow::Owned(text)
        }
    };
    Some(Line { time, output, is_partial, text })
}

/// The word before the first space, and what stands behind that.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = memchr::memchr(b' ', text)?;
    Some((&text[..space], &text[space + 1..]))
}

/// What the name of a file says of its container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
}

impl Place {
    /// Reads `…/containers/POD_NAMESPACE_CONTAINER-ID.log` and `…/pods/NAMESPACE_POD_UID/CONTAINER/N.log`; other paths
    /// say nothing.
    pub fn of(path: &str) -> Place {
        Place::in_containers(path).or_else(|| Place::in_pods(path)).unwrap_or_default()
    }

    fn in_containers(path: &str) -> Option<Place> {
        let name = path.rsplit_once("/containers/")?.1.strip_suffix(".log")?;
        let mut parts = name.split('_');
        let [pod, namespace, rest] = [parts.next()?, parts.next()?, parts.next()?];
        let container = rest.rsplit_once('-')?.0;
        Some(Place { namespace: namespace.into(), pod: pod.into(), container: container.into() })
    }

    fn in_pods(path: &str) -> Option<Place> {
        let mut parts = path.rsplit_once("/pods/")?.1.split('/');
        let (folder, container) = (parts.next()?, parts.next()?);
        parts.next()?;
        let mut names = folder.split('_');
        let (namespace, pod) = (names.next()?, names.next()?);
        Some(Place { namespace: namespace.into(), pod: pod.into(), container: container.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(line: Option<Line<'_>>, expected: Option<(Output, bool, &str)>) {
        let told = line.map(|line| {
            assert_eq!(line.time.unwrap().to_string(), "2026-01-02T03:04:05.678901234Z");
            (line.output, line.is_partial, String::from_utf8_lossy(&line.text).into_owned())
        });
        assert_eq!(told, expected.map(|(output, partial, text)| (output, partial, text.to_owned())));
    }

    #[test]
    fn reads_lines_of_cri() {
        for (rest, expected) in [
            ("stdout F text  with spaces ", Some((Output::Out, false, "text  with spaces "))),
            ("stderr P half", Some((Output::Err, true, "half"))),
            ("stdout P:x half", Some((Output::Out, true, "half"))),
            ("stdout F ", Some((Output::Out, false, ""))),
            ("stdout F", Some((Output::Out, false, ""))),
            ("stdlog F text", None),
            ("stdout Q text", None),
            ("stdout", None),
        ] {
            let line = format!("2026-01-02T03:04:05.678901234Z {rest}");
            check(cri(line.as_bytes()), expected);
        }
        assert!(cri(b"2026-01-02 stdout F text").is_none());
    }

    #[test]
    fn reads_lines_of_docker() {
        for (log, expected) in [
            (r"text\n", Some((Output::Err, false, "text"))),
            (r"text\r\n", Some((Output::Err, false, "text"))),
            (r#"\u001b[1m \"q\"\n"#, Some((Output::Err, false, "\u{1b}[1m \"q\""))),
            ("half", Some((Output::Err, true, "half"))),
            ("", Some((Output::Err, true, ""))),
        ] {
            let line =
                format!(r#"{{"log":"{log}","stream":"stderr","time":"2026-01-02T03:04:05.678901234Z"}}"#);
            check(docker(line.as_bytes()), expected);
        }
        for line in [
            r#"{"log":"x","stream":"x"}"#,
            r#"{"stream":"stdout"}"#,
            "text",
            r#"{"log":1,"stream":"stdout"}"#,
        ] {
            assert!(docker(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn a_path_says_whose_log_it_is() {
        let expected =
            Place { namespace: "prod".into(), pod: "shop-7d9f-x2x".into(), container: "web-app".into() };
        for path in [
            "/var/log/containers/shop-7d9f-x2x_prod_web-app-0123456789abcdef.log",
            "/var/log/pods/prod_shop-7d9f-x2x_0b9f-11/web-app/0.log",
        ] {
            assert_eq!(Place::of(path), expected, "{path}");
        }
        for path in ["/var/log/syslog", "/var/log/containers/x.log", "/var/log/pods/prod_shop/0.log"] {
            assert_eq!(Place::of(path), Place::default(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(rest in prop::collection::vec(any::<u8>(), 0..40)) {
            let line = [b"2026-01-02T03:04:05Z ", &rest[..]].concat();
            cri(&line);
            docker(&rest);
            Place::of(&String::from_utf8_lossy(&rest));
        }
    }
}
