/*!
NDJSON over HTTP: `POST`, one record a line, so many of them in one request as
its [`Batch`] allows. The answer's status says what becomes of them.
*/

use std::sync::Arc;

use crate::sink::line::{self, Form};
use crate::sink::{Batch, Delivery, Sink, Verdict, answer};
use crate::store::{self, Client, Request};

/// An HTTP sink's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where requests go.
    pub store: store::Settings,
    /// Whether a line is the envelope or the message alone (`raw: true`).
    pub form: Form,
    /// What goes into one request.
    pub batch: Batch,
}

/// A client with its connections.
#[derive(Clone, Debug)]
pub struct Http {
    form: Form,
    batch: Batch,
    client: Arc<Client>,
    /// Of the request before: the next one is about as large.
    body_bytes: usize,
}

impl Http {
    /// A client for one URL.
    pub fn new(settings: Settings) -> Http {
        Http {
            form: settings.form,
            batch: settings.batch,
            client: Arc::new(Client::new(settings.store)),
            body_bytes: 0,
        }
    }
}

impl Sink for Http {
    fn batch(&self) -> Batch {
        self.batch
    }

    fn twin(&self) -> Option<Self> {
        Some(self.clone())
    }

    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        let mut body = Vec::with_capacity(self.body_bytes);
        line::write_some(delivery, self.form, self.batch, &mut body);
        self.body_bytes = body.len();
        let content_type = match self.form {
            Form::Json => "application/x-ndjson",
            Form::Message => "text/plain; charset=utf-8",
        };
        answer::judge(self.client.send(Request::post("", content_type, body)).await)
    }
}
