/*!
Standard input: a record a line, until its end. There is nobody to acknowledge to, and a full queue makes whoever writes
wait.
*/

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::gather::Gather;
use super::{Refused, World, stopped};
use crate::frame::{Cut, Ends, Framer, Lines, Step, Why};
use crate::limit::{READ_BYTES, RECORD_BYTES_MAX};
use crate::record::Ack;

/// A source of kind `stdin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The source's name in the configuration.
    pub name: Arc<str>,
}

/// Reads standard input to its end, or until the world stops.
pub async fn serve(settings: Settings, world: World) {
    read_all(tokio::io::stdin(), settings, world).await;
}

/// Reads any input to its end, or until the world stops.
pub async fn read_all(mut input: impl AsyncRead + Unpin, settings: Settings, world: World) {
    let mut stop = world.stop.clone();
    let mut reader = Reader {
        gather: Gather::new(settings.name, world.clone()),
        framer: Lines::new(Ends::Feed, RECORD_BYTES_MAX),
        unspent: Vec::new(),
        world,
    };
    let is_whole = loop {
        reader.unspent.reserve(READ_BYTES);
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break false,
            read = input.read_buf(&mut reader.unspent) => match read {
                Ok(0) => break true,
                Ok(_) => {}
                Err(_) => break false,
            }
        }
        // Refused is a stop.
        if reader.cut().await.is_err() {
            return;
        }
    };
    match reader.framer.finish(&reader.unspent) {
        Step::Frame(frame) if is_whole => reader.gather.push_plain(&reader.unspent[frame.range()]),
        Step::Frame(frame) => {
            reader.gather.push_cut(Cut { byte_len: frame.len() as u64, why: Why::Truncated });
        }
        Step::Cut(cut) => reader.gather.push_cut(cut),
        Step::More | Step::Lost => {}
    }
    let _ = reader.hand_on().await;
}

struct Reader {
    gather: Gather,
    framer: Lines,
    unspent: Vec<u8>,
    world: World,
}

impl Reader {
    /// Cuts what is there and hands it on.
    async fn cut(&mut self) -> Result<(), Refused> {
        let mut spent = 0;
        loop {
            let haystack = &self.unspent[spent..];
            let (step, here) = self.framer.step(haystack);
            match step {
                Step::Frame(frame) => self.gather.push_plain(&haystack[frame.range()]),
                Step::Cut(cut) => self.gather.push_cut(cut),
                Step::More | Step::Lost => {}
            }
            spent += here;
            if matches!(step, Step::More | Step::Lost) {
                break;
            }
            if self.gather.is_full() {
                self.hand_on().await?;
            }
        }
        self.unspent.drain(..spent);
        self.hand_on().await
    }

    async fn hand_on(&mut self) -> Result<(), Refused> {
        if self.gather.is_empty() {
            return Ok(());
        }
        let batch = self.gather.take(b"", Ack::none());
        self.world.intake.take(batch, Duration::MAX).await
    }
}
