/*!
Asking a store over HTTP: an answer that is as documented, or a reason why
nothing is known. No reason repeats an answer's body: stores echo what they
were sent.
*/

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::driver::{Setting, Unknown};
use crate::clock::Timestamp;
use crate::limit::{STORE_ANSWER_BYTES_MAX, STORE_FOLLOW_MAX};
use crate::store::{Answer, Client, Request, Settings};

/// A client that gives JSON or says why not.
#[derive(Debug)]
pub struct Ask {
    client: Client,
}

/// What was answered.
#[derive(Debug)]
pub struct Told {
    /// Status code: 2xx, or 404.
    pub status: u16,
    /// The body; `null` if it is empty.
    pub json: Value,
    /// What the store's clock shows, by the answer's `Date`.
    pub now: Option<Timestamp>,
}

impl Told {
    /// Whether there is such a thing.
    pub fn is_there(&self) -> bool {
        self.status != 404
    }
}

impl Ask {
    /// Asks nobody yet.
    pub fn new(settings: &Settings) -> Ask {
        Ask { client: Client::new(settings.clone()) }
    }

    /// Sends a request; the answer is 2xx or 404, and JSON.
    pub async fn ask(&self, request: Request) -> Result<Told, Unknown> {
        self.ask_up_to(request, STORE_ANSWER_BYTES_MAX).await
    }

    /// The same with this bound for the answer, in bytes.
    pub async fn ask_up_to(&self, request: Request, bytes_max: usize) -> Result<Told, Unknown> {
        let answer = self.send(request, bytes_max).await?;
        let json = match answer.body.is_empty() {
            true => Value::Null,
            false if answer.status == 404 => answer.json().unwrap_or_default(),
            false => answer.json().ok_or_else(|| Unknown::new("its answer is no JSON"))?,
        };
        Ok(Told { status: answer.status, json, now: date(&answer) })
    }

    /// The same for what answers with text.
    pub async fn text(&self, request: Request) -> Result<(u16, String, Option<Timestamp>), Unknown> {
        self.text_up_to(request, STORE_ANSWER_BYTES_MAX).await
    }

    /// The same with this bound for the answer, in bytes.
    pub async fn text_up_to(
        &self,
        request: Request,
        bytes_max: usize,
    ) -> Result<(u16, String, Option<Timestamp>), Unknown> {
        let answer = self.send(request, bytes_max).await?;
        let text =
            String::from_utf8(answer.body.to_vec()).map_err(|_| Unknown::new("its answer is no text"))?;
        let now = answer.headers.get("date").and_then(|date| moment(date.to_str().ok()?));
        Ok((answer.status, text, now))
    }

    /// The same with its bytes and header lines.
    pub async fn bytes(&self, request: Request, bytes_max: usize) -> Result<Answer, Unknown> {
        self.send(request, bytes_max).await
    }

    async fn send(&self, request: Request, bytes_max: usize) -> Result<Answer, Unknown> {
        let request = request.answer_bytes_max(bytes_max);
        let answer = self.client.send(request).await.map_err(|fault| Unknown(fault.to_string()))?;
        match answer.status {
            200..=299 | 404 => Ok(answer),
            401 | 403 => {
                Err(Unknown(format!("it answered {}: it wants other credentials; set auth", answer.status)))
            }
            status => Err(Unknown(format!("it answered {status}"))),
        }
    }
}

/// Paces the questions whether what a store was told to do has ended: ever more seldom, and not for ever.
#[derive(Debug)]
pub struct Follow {
    what: &'static str,
    until: Instant,
    wait: Duration,
}

impl Follow {
    /// From now on.
    pub fn new(what: &'static str) -> Follow {
        Follow { what, until: Instant::now() + STORE_FOLLOW_MAX, wait: Duration::from_millis(50) }
    }

    /// Waits until it is time to ask again.
    ///
    /// # Errors
    ///
    /// If it has taken [`STORE_FOLLOW_MAX`].
    pub async fn wait(&mut self) -> Result<(), Unknown> {
        if Instant::now() >= self.until {
            let seconds = STORE_FOLLOW_MAX.as_secs();
            return Err(Unknown(format!(
                "{} was accepted and has not ended within {seconds} s; say the same again",
                self.what
            )));
        }
        tokio::time::sleep(self.wait).await;
        self.wait = (self.wait * 2).min(Duration::from_secs(2));
        Ok(())
    }
}

fn date(answer: &Answer) -> Option<Timestamp> {
    moment(answer.headers.get("date")?.to_str().ok()?)
}

/// RFC 9110, section 5.6.7.
fn moment(date: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()
}

/// A moment from milliseconds.
pub fn millis(at: f64) -> Option<Timestamp> {
    Timestamp::from_millisecond(at as i64).ok()
}

/// A number, also where it is written as text.
pub fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Whether an id needs no quotes in a query, of whatever language.
pub fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `90d`, `12h`, `30m`, `15s`, `500ms` and the like, as Elasticsearch and its kin write spans.
pub fn span(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let count: u64 = count.parse().ok()?;
    let millis = match unit.trim() {
        "d" | "day" | "days" => 86_400_000,
        "h" | "hour" | "hours" => 3_600_000,
        "m" | "minute" | "minutes" => 60_000,
        "s" | "second" | "seconds" => 1_000,
        "ms" => 1,
        "micros" | "nanos" => 0,
        "w" | "week" | "weeks" => 7 * 86_400_000,
        _ => return None,
    };
    count.checked_mul(millis).map(Duration::from_millis)
}

/// A span in seconds as a setting's value.
pub fn seconds(name: &str, span: Duration) -> Setting {
    Setting::new(name, format!("{} s", span.as_secs()))
}

/// A span in days as a setting's value.
pub fn days(name: &str, span: Duration) -> Setting {
    Setting::new(name, format!("{} d", span.as_secs() / 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_stores_write_them() {
        for (text, expected) in
            [("90d", 7_776_000), ("12h", 43_200), ("5m", 300), ("90 days", 7_776_000), ("0ms", 0)]
        {
            assert_eq!(span(text), Some(Duration::from_secs(expected)), "{text}");
        }
        for text in ["", "d", "-1d", "90", "1y", "99999999999999999d"] {
            assert_eq!(span(text), None, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_told_as_not_ended() {
        let (started, mut follow) = (Instant::now(), Follow::new("the task"));
        let error = loop {
            if let Err(error) = follow.wait().await {
                break error;
            }
        };
        assert!(error.0.starts_with("the task was accepted and has not ended"), "{error}");
        assert!((STORE_FOLLOW_MAX..2 * STORE_FOLLOW_MAX).contains(&started.elapsed()));
    }

    #[test]
    fn a_date_of_http_is_read() {
        assert_eq!(moment("Sun, 06 Nov 1994 08:49:37 GMT"), "1994-11-06T08:49:37Z".parse().ok());
        assert_eq!(moment("yesterday"), None);
    }
}
