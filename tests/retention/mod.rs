//! `logveil retention` on real stores: what is verified, what is found, what `apply` mends.

mod clickhouse;
mod cloudwatch;
mod kafka;
mod killed;
mod local;
mod nats;
mod people;
mod running;
mod s3;
mod standin;
mod wrong;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::free_port;
use crate::support::logveil::binary;
use crate::support::process::Process;

/// A folder with a configuration.
pub struct Place {
    pub dir: TempDir,
    pub config: PathBuf,
}

/// What a configuration that runs goes with.
pub struct Runnable {
    pub now: jiff::Timestamp,
    /// Port of the HTTP source.
    pub http: u16,
    /// Port of the admin listener.
    pub admin: u16,
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

    /// A configuration that `run` runs, with these stores, and a data directory whose clock was believed before: nothing is
    /// deleted by one that never was.
    pub fn runnable(&self, stores: &str) -> Runnable {
        let (http, admin) = (free_port(), free_port());
        self.configure(&format!(
            "keyring: {{ kek: \"${{file:DIR/kek}}\" }}\nsources:\n  web: {{ kind: http, listen: \"127.0.0.1:{http}\" }}\n\
             admin: {{ listen: \"127.0.0.1:{admin}\" }}\n{stores}"
        ));
        std::fs::create_dir(self.path().join("data")).unwrap();
        let kek = self.path().join("kek");
        std::fs::write(&kek, "0".repeat(64)).unwrap();
        std::fs::set_permissions(&kek, std::fs::Permissions::from_mode(0o600)).unwrap();
        let now = jiff::Timestamp::try_from(std::fs::metadata(&kek).unwrap().modified().unwrap()).unwrap();
        let state = format!(
            "{{\"format\":\"logveil-state/1\",\"high_water\":\"{now}\",\"evidence\":0,\"ttl_s\":{{}}}}\n"
        );
        std::fs::write(self.path().join("data/state"), state).unwrap();
        Runnable { now, http, admin }
    }

    /// `logveil run` with it.
    pub fn start(&self) -> Process {
        let mut command = Command::new(binary());
        command.arg("run").arg("--config").arg(&self.config);
        Process::start(&mut command, self.path())
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
