/*!
Keeps raw records inside the process.

Records live in memory before `act` has been at them. So no core dump is
written, no other process of the same user may attach and read, and a panic
says where it was and nothing of what it was about.
*/

use std::io::{self, Write};
use std::panic;

/// Called once, before anything is read.
pub(super) fn raw_records() {
    panic::set_hook(Box::new(|panicked| {
        let at = panicked.location().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(io::stderr(), "logveil: a mistake of ours at {at}; please report it");
    }));
    no_dumps();
}

/// Best effort: a sandbox may forbid these calls, and logs still have to be redacted there.
#[cfg(unix)]
fn no_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

#[cfg(not(unix))]
fn no_dumps() {}
