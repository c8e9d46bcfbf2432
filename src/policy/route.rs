/*!
Which class and stream a record belongs to.

The configuration's routes come first, the first match wins; then the built-in
ones by app-name; the rest is class `app`. A route that names a stream and no
class leaves the class to the built-in routes. No route makes a name up from
what a record says: classes and streams are a fixed list.
*/

use crate::record::{Batch, ClassId, Names, Record, StreamId};
use crate::structure::member;
use crate::structure::path::is_glob_match;

/// One rule of the configuration: every condition that it names must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The conditions.
    pub when: When,
    /// The class that matching records get.
    pub class: Option<String>,
    /// The stream that matching records get; the class's own if there is none.
    pub stream: Option<String>,
}

/// The conditions of a route. One that is absent or empty holds always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// Name of the source in the configuration.
    pub source: Option<String>,
    /// The app-name is one of these, letter by letter.
    pub app: Vec<String>,
    /// The request's or the file's path.
    pub path: Option<Glob>,
    /// Members of the message's outermost JSON object that have these values.
    pub field: Vec<(String, String)>,
}

/// Why a route is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// It names a class that the policy has not.
    #[error("unknown class {name:?}; the policy has {known}")]
    Class {
        /// Position of the route, from 0.
        route: usize,
        /// The class it names.
        name: String,
        /// The classes there are.
        known: String,
    },
    /// It names neither a class nor a stream.
    #[error("says not where to; add `class:` or `stream:`")]
    Nowhere {
        /// Position of the route, from 0.
        route: usize,
    },
}

impl RouteError {
    /// Position of the route that is wrong, from 0.
    pub fn route(&self) -> usize {
        match *self {
            RouteError::Class { route, .. } | RouteError::Nowhere { route } => route,
        }
    }
}

/// A pattern for whole paths: `*` is any number of characters, `?` is one, the rest is itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Every text is a pattern.
    pub fn new(pattern: &str) -> Glob {
        Glob(pattern.to_owned())
    }

    /// Whether all of `text` fits. At most pattern times text steps.
    pub fn is_match(&self, text: &[u8]) -> bool {
        is_glob_match(self.0.as_bytes(), text)
    }
}

/// Compiled routes.
#[derive(Clone, Debug)]
pub struct Routes {
    rules: Vec<Rule>,
    apps: Vec<(&'static str, ClassId)>,
    rest: ClassId,
}

#[derive(Clone, Debug)]
struct Rule {
    when: When,
    class: Option<ClassId>,
    stream: Option<StreamId>,
}

/// App-names that have a class by themselves.
const APPS: &[(&str, &[&str])] = &[
    ("access", &["nginx", "apache", "httpd", "haproxy", "envoy", "traefik", "caddy", "istio-proxy"]),
    ("auth", &["sshd", "sudo", "login", "su"]),
];

impl Routes {
    /// The built-in routes alone.
    pub(in crate::policy) fn builtin(names: &Names) -> Routes {
        let class = |name: &str| {
            let place = names.classes.iter().position(|(class, _)| class == name);
            ClassId(place.expect("every policy has the built-in classes") as u16)
        };
        let apps = APPS.iter().flat_map(|(name, apps)| apps.iter().map(|app| (*app, class(name)))).collect();
        Routes { rules: Vec::new(), apps, rest: class("app") }
    }

    /// Every record goes to one class.
    pub(in crate::policy) fn all_to(class: ClassId) -> Routes {
        Routes { rules: Vec::new(), apps: Vec::new(), rest: class }
    }

    /// Compiles a configuration's routes; streams that they name are added to `names`.
    pub(in crate::policy) fn compile(routes: &[Route], names: &mut Names) -> Result<Routes, Vec<RouteError>> {
        let mut compiled = Routes::builtin(names);
        let mut errors = Vec::new();
        for (place, route) in routes.iter().enumerate() {
            match Rule::compile(place, route, names) {
                Ok(rule) => compiled.rules.push(rule),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(compiled) } else { Err(errors) }
    }

    /// Where a record belongs. Linear in the message if a route looks into its fields, else constant.
    pub fn route(&self, batch: &Batch, record: &Record) -> (StreamId, ClassId) {
        let matching = self.rules.iter().find(|rule| rule.when.holds(batch, record));
        let class = matching.and_then(|rule| rule.class).unwrap_or_else(|| self.by_app(batch, record));
        let stream = matching.and_then(|rule| rule.stream).unwrap_or(StreamId(class.0));
        (stream, class)
    }

    fn by_app(&self, batch: &Batch, record: &Record) -> ClassId {
        if record.app.is_empty() {
            return self.rest;
        }
        let app = batch.raw.bytes().get(record.app.range()).unwrap_or_default();
        let known = self.apps.iter().find(|(name, _)| name.as_bytes() == app);
        known.map_or(self.rest, |(_, class)| *class)
    }
}

impl Rule {
    fn compile(place: usize, route: &Route, names: &mut Names) -> Result<Rule, RouteError> {
        let class = match &route.class {
            Some(name) => Some(class_named(names, name).ok_or_else(|| RouteError::Class {
                route: place,
                name: name.clone(),
                known: names.classes.iter().map(|(class, _)| class.as_str()).collect::<Vec<_>>().join(", "),
            })?),
            None => None,
        };
        let stream = route.stream.as_ref().map(|name| stream_named(names, name));
        if class.is_none() && stream.is_none() {
            return Err(RouteError::Nowhere { route: place });
        }
        Ok(Rule { when: route.when.clone(), class, stream })
    }
}

fn class_named(names: &Names, name: &str) -> Option<ClassId> {
    names.classes.iter().position(|(class, _)| class == name).map(|place| ClassId(place as u16))
}

fn stream_named(names: &mut Names, name: &str) -> StreamId {
    let place = names.streams.iter().position(|stream| stream == name).unwrap_or_else(|| {
        names.streams.push(name.to_owned());
        names.streams.len() - 1
    });
    StreamId(place as u16)
}

impl When {
    fn holds(&self, batch: &Batch, record: &Record) -> bool {
        let part = |span: crate::span::Span| batch.raw.bytes().get(span.range()).unwrap_or_default();
        self.source.as_ref().is_none_or(|name| **name == *batch.source)
            && (self.app.is_empty() || self.app.iter().any(|name| name.as_bytes() == part(record.app)))
            && self.path.as_ref().is_none_or(|glob| glob.is_match(batch.path.bytes()))
            && self
                .field
                .iter()
                .all(|(key, value)| member::has(part(record.message), key.as_bytes(), value.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use crate::record::Ack;
    use crate::secret::Raw;

    /// Where a record goes: stream and class.
    fn route(routes: &[Route], app: &str, message: &str) -> (String, String) {
        let policy =
            Policy::builtin("everything").expect("it is built in").routed(routes).expect("they are right");
        let mut raw = Raw::default();
        let record = Record {
            app: raw.push(app.as_bytes()),
            message: raw.push(message.as_bytes()),
            ..Record::default()
        };
        let batch = Batch {
            raw,
            records: Vec::new(),
            received: crate::clock::Timestamp::UNIX_EPOCH,
            source: "edge".into(),
            path: Raw::new(b"/var/log/containers/payment-7.log".to_vec()),
            ack: Ack::none(),
        };
        let (stream, class) = policy.routes().route(&batch, &record);
        (policy.names().streams[usize::from(stream.0)].clone(), policy.class_name(class).to_owned())
    }

    #[track_caller]
    fn check(routes: &[Route], app: &str, message: &str, stream: &str, class: &str) {
        assert_eq!(route(routes, app, message), (stream.to_owned(), class.to_owned()));
    }

    fn to(class: Option<&str>, stream: Option<&str>, when: When) -> Route {
        Route { when, class: class.map(str::to_owned), stream: stream.map(str::to_owned) }
    }

    #[test]
    fn apps_have_their_class() {
        for app in ["nginx", "apache", "httpd", "haproxy", "envoy", "traefik", "caddy", "istio-proxy"] {
            check(&[], app, "", "access", "access");
        }
        for app in ["sshd", "sudo", "login", "su"] {
            check(&[], app, "", "auth", "auth");
        }
        for app in ["", "Nginx", "nginx:", "/usr/sbin/nginx", "sum"] {
            check(&[], app, "", "app", "app");
        }
    }

    #[test]
    fn the_first_route_whose_conditions_all_hold_wins() {
        let field = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
        let app = |name: &str| vec!["x".to_owned(), name.to_owned()];
        let routes = [
            to(Some("audit"), None, When { source: Some("other".into()), ..When::default() }),
            to(Some("payment"), None, When { path: Some(Glob::new("*paymant*")), ..When::default() }),
            to(
                Some("support"),
                Some("desk"),
                When { app: app("chat"), field: field("kind", "note"), ..When::default() },
            ),
            to(None, Some("web"), When { source: Some("edge".into()), app: app("nginx"), ..When::default() }),
            to(
                Some("payment"),
                None,
                When { path: Some(Glob::new("*payment*")), app: app("shop"), ..When::default() },
            ),
            to(Some("activity"), None, When::default()),
        ];
        check(&routes, "chat", r#"{"kind":"note"}"#, "desk", "support");
        check(&routes, "chat", r#"{"kind":"call"}"#, "activity", "activity");
        check(&routes, "nginx", "", "web", "access");
        check(&routes, "shop", "", "payment", "payment");
        check(&routes, "", "", "activity", "activity");
    }

    #[test]
    fn every_wrong_route_is_told() {
        let policy = Policy::builtin("everything").expect("it is built in");
        let wrong = [
            to(Some("app"), None, When::default()),
            to(Some("acess"), None, When::default()),
            to(None, None, When::default()),
        ];
        let errors = policy.routed(&wrong).expect_err("two are wrong");
        assert_eq!(errors.iter().map(RouteError::route).collect::<Vec<_>>(), [1, 2]);
        assert!(errors[0].to_string().starts_with("unknown class \"acess\"; the policy has access, app, "));
    }

    #[test]
    fn globs_fit_whole_texts() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("a", "", false),
            ("", "a", false),
            ("*payment*", "/x/payment-7.log", true),
            ("*payment", "/x/payment-7.log", false),
            ("/v?/*.log", "/v1/a/b.log", true),
            ("/v?/*.log", "/v12/a.log", false),
            ("a*b*c", "abcbd", false),
            ("a*b*c", "abcbdc", true),
            ("**a**", "a", true),
        ] {
            assert_eq!(Glob::new(pattern).is_match(text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
