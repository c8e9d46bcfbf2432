//! `logveil retention` on real stores: what is verified, what is found, what `apply` mends.

mod clickhouse;
mod kafka;
mod local;
mod nats;
mod people;
mod running;
mod s3;
mod standin;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::logveil::binary;

/// A folder with a configuration.
pub struct Place {
    pub dir: TempDir,
    pub config: PathBuf,
}

/// What the program left.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Place {
    /// A configuration of these lines; `DIR` in them is the folder, and the data lie in `DIR/data`.
    pub fn new(lines: &str) -> Place {
        let dir = TempDir::new().unwrap();
        let config = dir.path().join("logveil.yaml");
        let place = Place { dir, config };
        place.configure(lines);
        place
    }

    /// Writes the configuration anew.
    pub fn configure(&self, lines: &str) {
        let dir = self.path().display().to_string();
        std::fs::write(&self.config, format!("data_dir: DIR/data\n{lines}").replace("DIR", &dir)).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// `logveil retention VERB --config …`.
    pub fn retention(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(binary())
            .arg("retention")
            .args(arguments)
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Verifies, and fails unless the exit code is this one and all of `told` stand in what was said.
    #[track_caller]
    pub fn verifies(&self, code: i32, told: &[&str]) {
        self.retention(&["verify"]).is(code, told);
    }
}

impl Ran {
    #[track_caller]
    pub fn is(&self, code: i32, told: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        for told in told {
            assert!(
                self.out.contains(told) || self.err.contains(told),
                "{told}\nis not in\n{}{}",
                self.out,
                self.err
            );
        }
    }
}
