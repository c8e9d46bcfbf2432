/*!
NATS JetStream: a stream's `max_age`. Messages expire by the server's own timer;
0 means for good.
*/

use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream;
use async_nats::jetstream::ErrorCode;
use tokio::time::Instant;

use super::ask::seconds;
use super::bound::{Effective, Grain, Lag, TooShort, What};
use super::driver::{Can, Doing, Driver, Gone, Page, Reading, Stored, Unknown, Wanted};
use super::store::Target;
use super::verdict::Oldest;
use crate::clock::Timestamp;
use crate::limit::{STORE_PAGE_BYTES_MAX, STORE_PAGE_RECORDS, STORE_WAIT};

/// Which stream.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `nats://HOST:PORT` or `tls://HOST:PORT`.
    pub url: String,
    /// The stream; may hold `{class}`.
    pub stream: String,
    /// Who we are.
    pub login: Login,
}

/// Who we are. Its `Debug` shows nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Login {
    /// Nobody.
    #[default]
    None,
    /// Name and password.
    Password(String, String),
    /// A token.
    Token(String),
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("url", &self.url)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// A JetStream.
#[derive(Debug)]
pub struct Nats {
    settings: Settings,
}

const MAX_AGE: &str = "max_age";

impl Settings {
    /// What can be done.
    pub fn can() -> Can {
        Can { set: Ok(()), own_deletion: false, find: Ok(()), erase: Ok(()) }
    }

    /// What a limit needs.
    pub fn wants(limit: Duration) -> Result<Wanted, TooShort> {
        Wanted::within(limit, lags(), Grain::SECONDS, |value| vec![seconds(MAX_AGE, value)])
    }
}

fn lags() -> Vec<Lag> {
    vec![Lag::new(What::Sweep, Duration::from_secs(60), "the server's timer of expiries")]
}

impl Nats {
    /// Connects when it is asked.
    pub fn new(settings: Settings) -> Nats {
        Nats { settings }
    }

    async fn context(&self) -> Result<jetstream::Context, Unknown> {
        let options =
            ConnectOptions::new().connection_timeout(STORE_WAIT / 4).request_timeout(Some(STORE_WAIT / 4));
        let options = match self.settings.login.clone() {
            Login::None => options,
            Login::Password(user, password) => options.user_and_password(user, password),
            Login::Token(token) => options.token(token),
        };
        let options = options.max_reconnects(1);
        let client = options.connect(&*self.settings.url).await.map_err(|error| {
            use async_nats::ConnectErrorKind::{Authentication, AuthorizationViolation};
            match error.kind() {
                Authentication | AuthorizationViolation => {
                    Unknown::new("it wants other credentials; set auth")
                }
                kind => Unknown(format!("cannot connect: {kind}")),
            }
        })?;
        Ok(jetstream::new(client))
    }

    async fn info(
        &self,
        context: &jetstream::Context,
        stream: &str,
    ) -> Result<jetstream::stream::Info, Unknown> {
        let stream = context
            .get_stream(stream)
            .await
            .map_err(|error| Unknown(format!("stream {stream}: {}", error.kind())))?;
        Ok(stream.cached_info().clone())
    }

    async fn read_now(&self, target: &Target) -> Result<Reading, Unknown> {
        let info = self.info(&self.context().await?, &target.name).await?;
        let (config, state) = (&info.config, &info.state);
        let effective = match config.max_age {
            Duration::ZERO => Effective::forever("max_age is 0: messages are kept for good"),
            age => Effective::new(age, lags()),
        };
        let oldest = match state.messages {
            0 => Oldest::Nothing,
            _ => Timestamp::from_second(state.first_timestamp.unix_timestamp())
                .map(Oldest::At)
                .map_err(|_| Unknown::new("its oldest message has no moment"))?,
        };
        let mut notes = Vec::new();
        if config.mirror.is_some() || config.sources.as_ref().is_some_and(|sources| !sources.is_empty()) {
            notes.push("it is fed by other streams, which have ages of their own".to_owned());
        }
        notes.push("streams that mirror this one have ages of their own".to_owned());
        let settings = match config.max_age {
            Duration::ZERO => Vec::new(),
            age => vec![seconds(MAX_AGE, age)],
        };
        Ok(Reading { effective, oldest, store_now: None, settings, stalled: None, notes })
    }

    async fn stream(&self, name: &str) -> Result<jetstream::stream::Stream, Unknown> {
        let stream = self.context().await?.get_stream(name).await;
        stream.map_err(|error| Unknown(format!("stream {name}: {}", error.kind())))
    }

    /// Messages by their numbers; what is gone between two of them is passed over by the server. A page ends early where
    /// its messages are large, or come slowly.
    async fn page_now(&self, target: &Target, from: Option<&str>) -> Result<Page, Unknown> {
        use async_nats::jetstream::stream::LastRawMessageErrorKind::NoMessageFound;
        let stream = self.stream(&target.name).await?;
        let state = &stream.cached_info().state;
        let (first, last) = (state.first_sequence, state.last_sequence);
        let mut at = from.and_then(|from| from.parse().ok()).unwrap_or(0).max(first);
        let mut page = Page { total: from.is_none().then_some(state.messages), ..Page::default() };
        let (mut bytes, until) = (0, Instant::now() + STORE_WAIT / 2);
        let is_full = |records, bytes| {
            records >= STORE_PAGE_RECORDS || bytes >= STORE_PAGE_BYTES_MAX || Instant::now() >= until
        };
        while at <= last && !is_full(page.records.len(), bytes) {
            let message = match stream.get_first_raw_message_by_subject(">", at).await {
                Ok(message) => message,
                Err(error) if error.kind() == NoMessageFound => return Ok(page),
                Err(_) => return Err(Unknown::new("it does not give out its messages")),
            };
            at = behind(message.sequence, at)?;
            bytes += message.payload.len();
            page.records.push(Stored {
                mark: message.sequence.to_string(),
                text: message.payload.to_vec(),
                received: Timestamp::from_nanosecond(message.time.unix_timestamp_nanos()).ok(),
            });
        }
        page.next = (at <= last).then(|| at.to_string());
        Ok(page)
    }

    /// Overwritten where it lies, and taken out.
    async fn erase_now(&self, target: &Target, marks: &[String]) -> Result<Gone, Unknown> {
        use async_nats::jetstream::stream::DeleteMessageErrorKind::JetStream;
        let stream = self.stream(&target.name).await?;
        if stream.cached_info().config.deny_delete {
            return Err(Unknown::new(
                "the stream was made with deny_delete, which is for good: no message is taken out",
            ));
        }
        let mut gone = Gone::default();
        for mark in marks {
            let number = mark.parse().map_err(|_| Unknown::new("a message has no number"))?;
            match stream.delete_message(number).await {
                Ok(true) => gone.records += 1,
                // It is gone already.
                Err(error) if matches!(error.kind(), JetStream(error) if error.error_code() == ErrorCode::SEQUENCE_NOT_FOUND) =>
                    {}
                Ok(false) | Err(_) => return Err(Unknown::new("it did not take a message out")),
            }
        }
        gone.told.push("overwritten and taken out; streams that mirror this one are not touched".to_owned());
        Ok(gone)
    }
}

/// The number behind a message that was given out for `asked` or the next one that there is.
fn behind(given: u64, asked: u64) -> Result<u64, Unknown> {
    let behind = given.checked_add(1).filter(|_| given >= asked);
    behind.ok_or_else(|| Unknown::new("it gives out another message than it was asked for"))
}

impl Driver for Nats {
    fn read<'a>(&'a self, target: &'a Target, _now: Timestamp) -> Doing<'a, Reading> {
        Box::pin(self.read_now(target))
    }

    fn set<'a>(&'a self, target: &'a Target, wanted: &'a Wanted, _now: Timestamp) -> Doing<'a, Vec<String>> {
        Box::pin(async move {
            let context = self.context().await?;
            let mut config = self.info(&context, &target.name).await?.config;
            config.max_age = wanted.value;
            let info = context
                .update_stream(&config)
                .await
                .map_err(|error| Unknown(format!("it refused the change: {}", error.kind())))?;
            Ok(vec![format!("it took max_age {} s", info.config.max_age.as_secs())])
        })
    }
    fn page<'a>(&'a self, target: &'a Target, from: Option<&'a str>, _now: Timestamp) -> Doing<'a, Page> {
        Box::pin(self.page_now(target, from))
    }

    fn erase<'a>(&'a self, target: &'a Target, marks: &'a [String], _now: Timestamp) -> Doing<'a, Gone> {
        Box::pin(self.erase_now(target, marks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_forward_alone() {
        assert_eq!((behind(7, 7), behind(9, 7)), (Ok(8), Ok(10)));
        assert!(behind(6, 7).is_err(), "it would be asked for again and again");
        assert!(behind(u64::MAX, 7).is_err(), "there is none behind it");
    }
}
