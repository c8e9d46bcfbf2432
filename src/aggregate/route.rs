/*!
Route templates: the words of a closed list stay, every other part of a path is `{}`.

A path holds names, numbers and tokens of people at any place, and no rule finds all of them. So it is not
asked what looks like an identifier: what is not on the list does not pass.
*/

use std::collections::HashMap;

use super::{Cell, NO_ROUTE};
use crate::limit::{ROUTE_PARTS_MAX, ROUTE_WORD_BYTES_MAX};

/// Parts of paths that name a thing and nobody. A policy adds those of its own service.
const WORDS: &[&str] = &[
    "about",
    "access",
    "account",
    "accounts",
    "action",
    "actions",
    "activity",
    "admin",
    "alerts",
    "analytics",
    "api",
    "app",
    "apps",
    "archive",
    "articles",
    "assets",
    "attachments",
    "audit",
    "auth",
    "authorize",
    "avatar",
    "balance",
    "batch",
    "billing",
    "blog",
    "callback",
    "captcha",
    "cart",
    "catalog",
    "categories",
    "category",
    "channels",
    "chat",
    "check",
    "checkout",
    "clients",
    "collections",
    "comments",
    "completions",
    "config",
    "confirm",
    "contact",
    "count",
    "create",
    "css",
    "customers",
    "dashboard",
    "data",
    "delete",
    "deployments",
    "details",
    "devices",
    "docs",
    "documents",
    "domains",
    "download",
    "downloads",
    "edit",
    "embeddings",
    "events",
    "export",
    "faq",
    "favicon.ico",
    "feed",
    "feedback",
    "files",
    "filters",
    "fonts",
    "forgot",
    "graphql",
    "groups",
    "health",
    "healthz",
    "help",
    "history",
    "home",
    "hooks",
    "icons",
    "images",
    "img",
    "import",
    "inbox",
    "index",
    "index.html",
    "info",
    "instances",
    "invoices",
    "items",
    "jobs",
    "js",
    "keys",
    "languages",
    "legal",
    "list",
    "livez",
    "locations",
    "login",
    "logout",
    "logs",
    "media",
    "members",
    "messages",
    "metadata",
    "metrics",
    "mobile",
    "models",
    "news",
    "notifications",
    "oauth",
    "oauth2",
    "options",
    "orders",
    "organizations",
    "orgs",
    "pages",
    "password",
    "payments",
    "permissions",
    "ping",
    "plans",
    "policies",
    "posts",
    "preferences",
    "prices",
    "pricing",
    "private",
    "products",
    "profile",
    "profiles",
    "projects",
    "public",
    "queries",
    "query",
    "queue",
    "ready",
    "readyz",
    "records",
    "refresh",
    "refunds",
    "register",
    "reports",
    "requests",
    "reset",
    "resources",
    "rest",
    "results",
    "reviews",
    "robots.txt",
    "roles",
    "rooms",
    "rpc",
    "rules",
    "save",
    "schedule",
    "search",
    "security",
    "send",
    "services",
    "session",
    "sessions",
    "settings",
    "shop",
    "signin",
    "signout",
    "signup",
    "sitemap.xml",
    "start",
    "static",
    "stats",
    "status",
    "stop",
    "store",
    "stream",
    "submit",
    "subscribe",
    "subscriptions",
    "summary",
    "support",
    "sync",
    "system",
    "tags",
    "tasks",
    "teams",
    "terms",
    "test",
    "themes",
    "tickets",
    "token",
    "tokens",
    "transactions",
    "transfers",
    "uploads",
    "upload",
    "update",
    "usage",
    "user",
    "users",
    "v1",
    "v1beta",
    "v2",
    "v3",
    "v4",
    "v5",
    "validate",
    "verify",
    "version",
    "versions",
    "videos",
    "wallets",
    "webhook",
    "webhooks",
    "well-known",
    ".well-known",
    "widgets",
    "wp-admin",
    "wp-content",
    "ws",
    "www",
];

/// The closed list.
#[derive(Clone, Debug)]
pub struct Words(HashMap<Box<[u8]>, Box<str>>);

impl Words {
    /// The built-in words and a policy's own. Case does not matter; a word is written as the list has it.
    pub fn new(own: &[String]) -> Words {
        let all = WORDS.iter().copied().chain(own.iter().map(String::as_str));
        Words(all.map(|word| (word.to_ascii_lowercase().into_bytes().into(), word.into())).collect())
    }

    /// Replaces `out` by the template of a route: a path, a URL, or a request's first line. `-` without one.
    pub(super) fn template(&self, route: Option<&[u8]>, out: &mut String) {
        out.clear();
        let Some(path) = route.and_then(path) else {
            out.push_str(NO_ROUTE);
            return;
        };
        for (place, part) in path.split(|&b| b == b'/').filter(|part| !part.is_empty()).enumerate() {
            if place == ROUTE_PARTS_MAX {
                out.push_str("/**");
                break;
            }
            out.push('/');
            // Longer than any word is none.
            let mut lower = [0; ROUTE_WORD_BYTES_MAX];
            let known = lower.get_mut(..part.len()).and_then(|lower| {
                lower.copy_from_slice(part);
                lower.make_ascii_lowercase();
                self.0.get(&*lower)
            });
            out.push_str(known.map_or("{}", |word| word));
        }
        if out.is_empty() {
            out.push('/');
        }
        debug_assert!(*out != Cell::rest("").route, "a template begins with a slash");
    }
}

/// The path alone: without method, scheme, host, query and fragment.
fn path(route: &[u8]) -> Option<&[u8]> {
    // `GET /path HTTP/1.1`: the part behind the method.
    let route = match route.split_once_at(b' ') {
        Some((method, rest)) if method.iter().all(u8::is_ascii_uppercase) => rest,
        _ => route,
    };
    let end = route.iter().position(|b| matches!(b, b'?' | b'#' | b' ' | b'\t')).unwrap_or(route.len());
    let route = &route[..end];
    let route = match memchr::memmem::find(route, b"://") {
        Some(at) => {
            let host = &route[at + 3..];
            let slash = host.iter().position(|&b| b == b'/').unwrap_or(host.len());
            match &host[slash..] {
                [] => b"/",
                path => path,
            }
        }
        None => route,
    };
    route.starts_with(b"/").then_some(route)
}

trait SplitOnce {
    fn split_once_at(&self, byte: u8) -> Option<(&[u8], &[u8])>;
}

impl SplitOnce for [u8] {
    fn split_once_at(&self, byte: u8) -> Option<(&[u8], &[u8])> {
        let at = memchr::memchr(byte, self)?;
        Some((&self[..at], &self[at + 1..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(route: &str, template: &str) {
        let words = Words::new(&["createTask".to_owned()]);
        let mut out = String::new();
        words.template(Some(route.as_bytes()), &mut out);
        assert_eq!(out, template, "{route}");
    }

    #[test]
    fn what_is_not_on_the_list_does_not_pass() {
        check("/", "/");
        check("/api/v1/users/4711/orders", "/api/v1/users/{}/orders");
        check("/API/Users/jane.roe", "/api/users/{}");
        check("/createtask?key=LIC-1", "/createTask");
        check("//users///7/", "/users/{}");
        check("/users/:id", "/users/{}");
        check("/users/{id}", "/users/{}");
        check("/users/[email]/email_k7f3a.mfrggzdfmztwq2lkmfrg", "/users/{}/{}");
        check("/users%2Fjane", "/{}");
        check("https://jane@shop.example:8443/cart;sid=1#top", "/{}");
        check("https://shop.example/cart#top", "/cart");
        check("https://shop.example", "/");
        check("GET /cart HTTP/1.1", "/cart");
        check("/a/b/c/d/e/f/g/h/users", "/{}/{}/{}/{}/{}/{}/{}/{}/**");
        for none in ["", "*", "shop.example:443", "jane@example.com", "cart"] {
            check(none, "-");
        }
    }

    proptest! {
        /// Law: of any bytes, nothing comes out but words of the list and three signs.
        #[test]
        fn templates_are_made_of_the_list(
            route in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                "(/(users|api|[a-zA-Z0-9%{}.:@-]{0,12})){0,12}(\\?[a-z=&]{0,9})?".prop_map(String::into_bytes),
            ],
        ) {
            let words = Words::new(&[]);
            let mut out = String::new();
            words.template(Some(&route), &mut out);
            let is_known = |part: &str| part.is_empty() || part == "{}" || part == "**" || WORDS.contains(&part);
            prop_assert!(out == "-" || out.starts_with('/') && out.split('/').all(is_known), "{out}");
        }
    }
}
