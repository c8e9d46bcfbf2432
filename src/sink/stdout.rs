/*!
Standard output: one record a line.
*/

use tokio::io::AsyncWriteExt;

use crate::sink::line::{self, Form};
use crate::sink::{Delivery, Fault, Sink, Verdict};
use crate::telemetry::SinkError;

/// This process's standard output. There is one, so a configuration may hold one such sink.
#[derive(Debug)]
pub struct Stdout {
    form: Form,
    out: tokio::io::Stdout,
    lines: Vec<u8>,
}

impl Stdout {
    /// Writes records in this form.
    pub fn new(form: Form) -> Stdout {
        Stdout { form, out: tokio::io::stdout(), lines: Vec::new() }
    }
}

impl Sink for Stdout {
    /// Accepts once the reader's pipe has the bytes. A closed pipe is waited for: records are not thrown away.
    async fn send(&mut self, delivery: &mut Delivery<'_>) -> Verdict {
        self.lines.clear();
        line::write(delivery, self.form, &mut self.lines);
        let written = async {
            self.out.write_all(&self.lines).await?;
            self.out.flush().await
        };
        match written.await {
            Ok(()) => Verdict::Accept,
            Err(error) => Verdict::Defer(Fault::io(SinkError::Broken, &error), None),
        }
    }
}
