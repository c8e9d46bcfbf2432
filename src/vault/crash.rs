/*!
What a power failure leaves: only what was synced is sure.

A [`Trace`] knows of each file that was made through a [`super::Disk`] how much of
it was synced, and whether its name was. [`Trace::crash`] then does to the
rest what a disk may do: keep it, cut it, lose whole sectors of it though later ones
are there, or forget the file's name.
*/

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const SECTOR: u64 = 512;

/// What is known of files that are appended to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Arc<Mutex<BTreeMap<PathBuf, Made>>>);

#[derive(Debug)]
struct Made {
    inode: u64,
    durable: u64,
    named: bool,
}

impl Trace {
    pub(super) fn created(&self, path: &Path) {
        let inode = path.metadata().expect("it was just made").ino();
        self.0
            .lock()
            .expect("no test panics while it holds it")
            .insert(path.to_owned(), Made { inode, durable: 0, named: false });
    }

    pub(super) fn synced(&self, file: &File) {
        let found = file.metadata().expect("it is open");
        for made in self
            .0
            .lock()
            .expect("no test panics while it holds it")
            .values_mut()
            .filter(|made| made.inode == found.ino())
        {
            made.durable = found.len();
        }
    }

    pub(super) fn synced_names(&self, dir: &Path) {
        for (_, made) in self
            .0
            .lock()
            .expect("no test panics while it holds it")
            .iter_mut()
            .filter(|(path, _)| path.parent() == Some(dir))
        {
            made.named = true;
        }
    }

    /// The power fails. `draw` decides what becomes of what was not synced.
    pub(crate) fn crash(&self, mut draw: impl FnMut(u64) -> u64) {
        for (path, made) in std::mem::take(&mut *self.0.lock().expect("no test panics while it holds it")) {
            let Ok(file) = OpenOptions::new().write(true).open(&path) else { continue };
            if !made.named && draw(2) == 0 {
                std::fs::remove_file(&path).expect("it was opened");
                continue;
            }
            let length = file.metadata().expect("it is open").len();
            if length > made.durable && draw(2) == 0 {
                file.set_len(made.durable + draw(length - made.durable + 1))
                    .expect("the test's disk is well");
            }
            let length = file.metadata().expect("it is open").len();
            let mut at = made.durable;
            while at < length {
                let end = length.min((at / SECTOR + 1) * SECTOR);
                if draw(3) == 0 {
                    file.write_all_at(&vec![0; (end - at) as usize], at).expect("the test's disk is well");
                }
                at = end;
            }
        }
    }
}
