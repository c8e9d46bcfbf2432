//! Vector's language, an event a line as Vector has it.

use std::collections::BTreeMap;

use bytes::Bytes;
use vrl::compiler::state::RuntimeState;
use vrl::compiler::{Program, TargetValue, TimeZone, compile, runtime::Runtime};
use vrl::value::{KeyString, Secrets, Value};

use crate::patterns::ALL;
use crate::{Peer, lines};

/// `redact` with five filters.
pub fn redact() -> Peer {
    let filters: Vec<String> = ALL.iter().map(|(_, pattern)| format!("r'{pattern}'")).collect();
    let source = format!(".message = redact(string!(.message), filters: [{}])", filters.join(", "));
    let program: Program = compile(&source, &vrl::stdlib::all()).expect("it is a program").program;
    let mut runtime = Runtime::new(RuntimeState::default());
    let zone = TimeZone::default();
    let key: KeyString = "message".into();
    Peer::new("VRL redact, 5 regex filters", move |piece, out| {
        let piece = Bytes::copy_from_slice(piece);
        let mut found = 0;
        for line in lines(&piece) {
            let event = BTreeMap::from([(key.clone(), Value::Bytes(piece.slice_ref(line)))]);
            let metadata = Value::Object(BTreeMap::new());
            let mut target =
                TargetValue { value: Value::Object(event), metadata, secrets: Secrets::default() };
            runtime.resolve(&mut target, &program, &zone).expect("a line is a string");
            runtime.clear();
            let clean = target.value.as_object().and_then(|event| event.get(&key)).and_then(Value::as_bytes);
            let clean = clean.expect("it was set to a string");
            // How many it replaced is not told; a line that changed counts as one.
            found += usize::from(clean.len() != line.len());
            out.extend_from_slice(clean);
        }
        found
    })
}
