//! `logveil retention apply`: asks, sets, reads back, and says what was answered.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use super::tell::{self, settings};
use super::{World, acts, faults, print};
use crate::app::stores::{Checked, act, is_archive};
use crate::archive::{self, Purge};
use crate::cli::{Error, Exit, complain};
use crate::retention::evidence::Did;
use crate::retention::{Unknown, Wanted, changes};
use crate::vault::{self, DataDir, Kek, Timekeeper, Vault};

/// What is to be set in one target.
struct Step<'a> {
    checked: &'a Checked,
    wanted: Wanted,
    lines: Vec<String>,
}

pub(super) async fn run(world: &World, yes: bool) -> Result<Exit, Error> {
    let checked = world.stores.check(&world.clock).await;
    let steps: Vec<Step> = checked.iter().filter_map(step).collect();
    if steps.is_empty() {
        print("nothing to change\n")?;
    } else {
        steps.iter().flat_map(|step| &step.lines).try_for_each(|line| print(&format!("{line}\n")))?;
        if !yes && !asked("change this? [y/N] ")? {
            print("nothing was changed\n")?;
            return Ok(Exit::Done);
        }
    }
    let (mut failed, mut archive) = (false, false);
    for step in steps {
        // The archive's classes are set together.
        if is_archive(&step.checked.store) && std::mem::replace(&mut archive, true) {
            continue;
        }
        failed |= !carry_out(world, &step).await?;
    }
    // Believed is what is read back, never what was answered.
    let checked = world.stores.check(&world.clock).await;
    print(&tell::table(&checked))?;
    faults(&checked);
    world.record(acts(&checked))?;
    let holds = !failed && checked.iter().all(Checked::holds);
    Ok(if holds { Exit::Done } else { Exit::Found })
}

/// What a target lacks; nothing if it is as it should be, does not tell, or is not ours to set.
fn step(checked: &Checked) -> Option<Step<'_>> {
    let (store, target) = (&checked.store, &checked.target);
    let wanted = store.kind.wants(target.limit()).ok()?;
    let reading = checked.reading.as_ref().ok()?;
    // What keeps its limit stays as it is: a shorter retention is no fault.
    let changes = if checked.holds() { Vec::new() } else { changes(settings(checked), &wanted.settings) };
    let stalled = reading.stalled.is_some() && is_archive(store);
    if store.kind.can().set.is_err() || changes.is_empty() && !stalled {
        return None;
    }
    let line = |(name, is, to)| format!("store {}, {}: {name}: {is} -> {to}", store.name, target.name);
    let mut lines: Vec<String> = changes.into_iter().map(line).collect();
    if stalled {
        lines.push(format!("store {}, {}: destroy what is due", store.name, target.name));
    }
    Some(Step { checked, wanted, lines })
}

/// Says before and after in the evidence what is done. False if the store would not have it.
async fn carry_out(world: &World, step: &Step<'_>) -> Result<bool, Error> {
    let (store, target) = (&step.checked.store, &step.checked.target);
    world.record(vec![act(store, target, world.clock.now(), Did::Setting, step.lines.clone())])?;
    let set = match is_archive(store) {
        true => tokio::task::block_in_place(|| set_archive(world)),
        false => world.stores.set(store, target, &step.wanted, world.clock.now()).await,
    };
    match set {
        Ok(answers) => {
            world.record(vec![act(store, target, world.clock.now(), Did::Set, answers)])?;
            Ok(true)
        }
        Err(Unknown(why)) => {
            complain(&format!("store {}, {}: not set: {why}", store.name, target.name));
            Ok(false)
        }
    }
}

/// Brings the policy's limits into force, as `run` does at its start, and destroys what is due.
fn set_archive(world: &World) -> Result<Vec<String>, Unknown> {
    let failed = |error: vault::Error| Unknown(error.to_string());
    let settings = &world.settings;
    let dir = match DataDir::open(&settings.data_dir) {
        Err(vault::Error::Held { .. }) => {
            return Err(Unknown::new(
                "`logveil run` holds the data directory: reload it (SIGHUP), its limits come into force then",
            ));
        }
        dir => Arc::new(dir.map_err(failed)?),
    };
    let kek = Kek::open(settings.kek.as_ref(), &dir);
    let time = Timekeeper::new(Arc::clone(&world.clock), vault::high_water(&dir).map_err(failed)?);
    let mut vault = Vault::open(Arc::clone(&dir), Arc::new(kek.map_err(failed)?)).map_err(failed)?;
    let names = settings.policy.names();
    let tended = vault.tend(&names.policy, &names.classes, &time).map_err(failed)?;
    let purge = Purge::Due(tended.moments.destroyable);
    let purged = archive::purge(&dir, &purge, &tended.moments).map_err(|error| Unknown(error.to_string()))?;
    Ok(vec![format!("limits in force; {} partitions destroyed", purged.destroyed)])
}

fn asked(question: &str) -> Result<bool, Error> {
    let mut err = io::stderr();
    let _ = write!(err, "{question}").and_then(|()| err.flush());
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Error::Failure(format!("cannot read the answer: {}", crate::cli::reason(&error))))?;
    Ok(matches!(answer.trim(), "y" | "yes"))
}
