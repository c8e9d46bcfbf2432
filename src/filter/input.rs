//! Where the bytes come from: a file or standard input.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// One input of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file, opened when its turn comes.
    File(PathBuf),
}

impl Input {
    /// Opens it for reading.
    pub(super) fn open(&self) -> io::Result<Reader> {
        let file = match self {
            Input::Stdin => File::from(io::stdin().as_fd().try_clone_to_owned()?),
            Input::File(path) => File::open(path)?,
        };
        Ok(Reader { file })
    }
}

/// Bytes that come in reads of any size.
pub(super) trait Bytes {
    /// Waits for bytes and appends them, at most as many as `buffer` has room for; 0 is the end.
    fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize>;
    /// Whether the next read would not wait.
    fn is_ready(&self) -> bool;
}

/// An open file, read without a buffer between.
#[derive(Debug)]
pub(super) struct Reader {
    file: File,
}

impl Reader {
    fn poll(&self, wait: Option<&Timespec>) -> bool {
        let mut polled = [PollFd::new(&self.file, PollFlags::IN)];
        matches!(poll(&mut polled, wait), Ok(1..))
    }
}

impl Bytes for Reader {
    fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            match rustix::io::read(&self.file, spare_capacity(buffer)) {
                Ok(count) => return Ok(count),
                Err(rustix::io::Errno::INTR) => {}
                // Somebody shares the terminal or pipe with us and made it non-blocking.
                Err(rustix::io::Errno::AGAIN) => {
                    self.poll(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn is_ready(&self) -> bool {
        self.poll(Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))
    }
}
