//! Who is asked about, by whom, under which law: the options that all verbs share.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::super::archive;
use super::super::operator::{Permit, Who, audited, clean_reason};
use super::super::output::counted;
use super::super::{Error, Exit, complain, reason};
use super::archive::ArchiveStore;
use super::failed;
use super::find::counts;
use super::unasked::Unasked;
use crate::app::remote::Remote;
use crate::app::stores::act;
use crate::clock::{Clock, Timestamp};
use crate::config::May;
use crate::entity::Entities;
use crate::limit::{SUBJECT_VALUE_BYTES_MAX, SUBJECT_VALUES_MAX};
use crate::policy::Policy;
use crate::retention::evidence::{Did, Evidence};
use crate::retention::{self, Target, files::Files};
use crate::subject::{
    Identifier, Law, Lined, Lines, Register, Request, Searched, Sought, Store, Subject, Verb,
};
use crate::vault::{Act, DataDir, Kek, Outcome, Timekeeper, live_keys};

/// Who is asked about, and how.
#[derive(clap::Args)]
pub(super) struct Asked {
    #[command(flatten)]
    place: archive::Place,
    #[command(flatten)]
    permit: Permit,
    /// A built-in policy's name, or a policy file; that of the configuration, or `default`, without it.
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
    /// The law by which the answer is due: gdpr (30 days), ccpa (45 days), cn (15 business days) or none.
    #[arg(long, value_name = "LAW", default_value = "gdpr")]
    law: String,
    /// Why, in a few words; kept in the register without what is sensitive in it. `child` waits for nothing.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Goes on with a request that is open, instead of opening one.
    #[arg(long, value_name = "ID", conflicts_with = "law")]
    request: Option<String>,
    /// Values from a file, or `-` for standard input: a line for each, KIND VALUE.
    #[arg(long, value_name = "FILE")]
    value_from: Option<PathBuf>,
    /// An e-mail address. Arguments show in the process list; --value-from does not.
    #[arg(long, value_name = "ADDRESS")]
    email: Vec<String>,
    /// An IP address, never a network.
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<String>,
    /// A user's number or id.
    #[arg(long, value_name = "ID")]
    user_id: Vec<String>,
    /// A user's name.
    #[arg(long, value_name = "NAME")]
    user_name: Vec<String>,
    /// A phone number with its country code.
    #[arg(long, value_name = "NUMBER")]
    phone: Vec<String>,
    /// A token, session id or cookie.
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
}

impl std::fmt::Debug for Asked {
    /// What was asked about is not printed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("law", &self.law).finish_non_exhaustive()
    }
}

/// A request under way: all that answering it needs.
pub(super) struct Case {
    pub(super) dir: DataDir,
    pub(super) kek: Arc<Kek>,
    pub(super) time: Arc<Timekeeper>,
    pub(super) who: Who,
    kept: Vec<retention::Store>,
    runtime: tokio::runtime::Runtime,
    pub(super) policy: Arc<Policy>,
    pub(super) subject: Subject,
    pub(super) sought: Sought,
    pub(super) register: Register,
    pub(super) request: Request,
}

impl Asked {
    /// Reads who is asked about, and opens the request, or takes up the open one.
    pub(super) fn begin(&self, verb: Verb) -> Result<Case, Error> {
        let who = self.permit.of(&self.place, may(verb))?;
        let law: Law = self.law.parse().map_err(failed)?;
        let policy = self.place.policy(self.policy.as_deref())?;
        let subject = self.subject(policy.rules().entities())?;
        let (dir, kek, time) = self.place.beside()?;
        let keys = live_keys(&dir, &kek, time.look().unreadable).map_err(Error::usage)?;
        let sought = Sought::new(&subject, &policy, &keys).map_err(failed)?;
        let register = Register::new(&dir, Arc::clone(&kek));
        let request = match &self.request {
            Some(id) => register.find_open(id, verb).map_err(failed)?,
            None => {
                let reason = clean_reason(self.reason.as_deref());
                let request = register.open(verb, law, reason, time.now()).map_err(failed)?;
                let act = Act::new(time.now(), &who.name, "subject requests open").on(&request.id);
                let act = act.as_role(who.role.as_deref());
                audited(&dir, &kek, act.because(request.reason.as_deref()))?;
                request
            }
        };
        let (kept, runtime, time) = (self.place.stores()?, asking()?, Arc::new(time));
        Ok(Case { kept, runtime, dir, kek, time, who, policy, subject, sought, register, request })
    }

    fn subject(&self, entities: &Entities) -> Result<Subject, Error> {
        let mut identifiers = Vec::new();
        if let Some(path) = &self.value_from {
            let text = read_values(path)?;
            identifiers.extend(Subject::read_lines(entities, &text).map_err(failed)?);
        }
        let given = [
            ("email", &self.email),
            ("ip", &self.ip),
            ("user-id", &self.user_id),
            ("user-name", &self.user_name),
            ("phone", &self.phone),
            ("token", &self.token),
        ];
        for (kind, value) in given.into_iter().flat_map(|(kind, all)| all.iter().map(move |one| (kind, one)))
        {
            identifiers.push(Identifier::parse(entities, kind, value).map_err(failed)?);
        }
        if given.iter().any(|(_, all)| !all.is_empty()) {
            complain("arguments show in the process list while this runs; --value-from FILE or - does not");
        }
        Subject::of(identifiers).map_err(failed)
    }
}

fn read_values(path: &Path) -> Result<Zeroizing<String>, Error> {
    let mut text = Zeroizing::new(String::new());
    let max = (SUBJECT_VALUES_MAX * SUBJECT_VALUE_BYTES_MAX) as u64;
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().lock().take(max).read_to_string(&mut text),
        false => std::fs::File::open(path).and_then(|file| file.take(max).read_to_string(&mut text)),
    };
    read.map_err(|error| {
        Error::Usage(format!("--value-from {}: cannot be read: {}", path.display(), reason(&error)))
    })?;
    Ok(text)
}

/// A store that is asked, and what the configuration says of it.
pub(super) struct Place<'a> {
    pub(super) store: Box<dyn Store + 'a>,
    /// Nothing of an archive that the configuration does not have any more.
    pub(super) kept: Option<&'a retention::Store>,
}

impl Case {
    /// The stores that are asked, one after the other: the archive, and those of the configuration.
    pub(super) fn stores(&self) -> Result<Vec<Place<'_>>, Error> {
        let (dir, kek, time) = (&self.dir, &self.kek, &self.time);
        let archive = ArchiveStore { dir, kek, time, erased_in: Vec::new() };
        let kept = self.kept.iter().find(|store| matches!(store.kind, retention::Kind::Archive));
        let mut stores = vec![Place { store: Box::new(archive), kept }];
        let clock: Arc<dyn Clock> = Arc::clone(&self.time) as Arc<dyn Clock>;
        for store in &self.kept {
            if let retention::Kind::Files(settings) = &store.kind {
                let files = Files::new(settings.clone()).paths().map_err(Error::failure)?;
                let files = files.into_iter().map(|(path, is_live)| Lined { path, is_live });
                let lines = Lines::new(&store.name, files.collect());
                stores.push(Place { store: Box::new(lines), kept: Some(store) });
            }
            let remote = Remote::new(store, &clock, self.runtime.handle()).map_err(Error::failure)?;
            if let Some(remote) = remote {
                stores.push(Place { store: Box::new(remote), kept: Some(store) });
            }
        }
        Ok(stores)
    }

    /// Says in the retention's evidence what was taken out of a store for this request: of those `targets` alone, or of all
    /// where it is not known which.
    pub(super) fn prove(
        &self,
        store: &retention::Store,
        targets: Option<&[String]>,
        told: &[String],
    ) -> Result<(), Error> {
        let evidence = Evidence::of(&self.dir);
        let is_touched = |target: &&Target| targets.is_none_or(|names| names.contains(&target.name));
        for target in store.targets.iter().filter(is_touched) {
            let act = act(store, target, self.time.now(), Did::Deleted, told.to_vec());
            evidence.append(act).map_err(Error::failure)?;
        }
        Ok(())
    }

    /// Says in the audit log what was done for this request.
    pub(super) fn say(&self, verb: &str, outcome: Outcome, counts: &[(&str, u64)]) -> Result<(), Error> {
        let mut act = Act::new(self.time.now(), &self.who.name, verb).on(&self.request.id).ended(outcome);
        act = act.as_role(self.who.role.as_deref());
        for (what, count) in counts {
            act = act.count(what, *count);
        }
        audited(&self.dir, &self.kek, act.because(self.request.reason.as_deref()))
    }

    /// Says what a search came to, and closes the request unless a store failed; then the exit code says so.
    pub(super) fn answered(
        &self,
        verb: &str,
        done: &str,
        searched: &Searched,
        unasked: &[&Unasked],
    ) -> Result<Exit, Error> {
        let failed = unasked.iter().any(|unasked| !unasked.cannot);
        let outcome = if failed { Outcome::Failed } else { Outcome::Done };
        let mut counts = counts(searched).to_vec();
        counts.push(("stores not searched", unasked.len() as u64));
        self.say(verb, outcome, &counts)?;
        for Unasked { why, .. } in unasked {
            complain(&format!("{why}: not searched, and not in the answer"));
        }
        if failed {
            let id = &self.request.id;
            complain(&format!(
                "{id} stays open: a store could not be asked; say the same again with --request {id}"
            ));
            return Ok(Exit::Found);
        }
        let left = match unasked.len() as u64 {
            0 => String::new(),
            stores => format!("; {} cannot be searched", counted(stores, "store")),
        };
        self.close(&format!("{done} {}{left}", counted(searched.certain, "record")))?;
        Ok(Exit::Done)
    }

    /// Closes the request.
    pub(super) fn close(&self, what_came: &str) -> Result<(), Error> {
        self.register.close(&self.request.id, what_came, None, self.time.now()).map_err(failed)
    }

    /// `r3, gdpr, received …, due …`
    pub(super) fn headline(&self) -> String {
        headline(&self.request, self.time.now())
    }
}

/// For asking stores, which is done one after the other.
pub(in crate::cli) fn asking() -> Result<tokio::runtime::Runtime, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(|error| Error::Failure(format!("cannot start: {error}")))
}

fn may(verb: Verb) -> May {
    match verb {
        Verb::Find => May::Find,
        Verb::Export => May::Export,
        Verb::Erase => May::Erase,
        Verb::Suppress => May::Suppress,
    }
}

/// A request in one line.
pub(super) fn headline(request: &Request, now: Timestamp) -> String {
    let due = match request.deadline {
        Some(deadline) if request.is_overdue(now) => format!("was due {deadline}"),
        Some(deadline) => format!("due {deadline}"),
        None => "without a deadline".to_owned(),
    };
    let why = request.reason.as_deref().map(|reason| format!(", {reason}")).unwrap_or_default();
    format!(
        "{} {} by {}, received {}, {due}{why}",
        request.id,
        request.verb.name(),
        request.law,
        request.received
    )
}
