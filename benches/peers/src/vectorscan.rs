/*!
Vectorscan, the portable Hyperscan, over a whole piece and with match starts:
without them it says where a match ends, and nothing can be replaced.

Bound by hand: five functions of `hs.h`. A match is reported at every end that it
may have; the longest of those with one start counts, and of overlapping ones the first.
*/

use std::ffi::{CString, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::ptr;

use crate::Peer;
use crate::patterns::ALL;

#[link(name = "hs")]
unsafe extern "C" {
    fn hs_compile_multi(
        expressions: *const *const c_char,
        flags: *const c_uint,
        ids: *const c_uint,
        elements: c_uint,
        mode: c_uint,
        platform: *const c_void,
        database: *mut *mut c_void,
        error: *mut *mut CompileError,
    ) -> c_int;
    fn hs_alloc_scratch(database: *const c_void, scratch: *mut *mut c_void) -> c_int;
    fn hs_scan(
        database: *const c_void,
        data: *const c_char,
        length: c_uint,
        flags: c_uint,
        scratch: *mut c_void,
        event: extern "C" fn(c_uint, c_ulonglong, c_ulonglong, c_uint, *mut c_void) -> c_int,
        context: *mut c_void,
    ) -> c_int;
    fn hs_free_database(database: *mut c_void) -> c_int;
    fn hs_free_scratch(scratch: *mut c_void) -> c_int;
}

#[repr(C)]
struct CompileError {
    message: *const c_char,
    expression: c_int,
}

const SUCCESS: c_int = 0;
const MODE_BLOCK: c_uint = 1;
const FLAG_SOM_LEFTMOST: c_uint = 1 << 8;

/// A match: pattern, start, end.
type Hit = (usize, usize, usize);

/// A compiled set of patterns and the memory to search with it.
struct Database {
    database: *mut c_void,
    scratch: *mut c_void,
}

impl Database {
    fn new() -> Database {
        let patterns = ALL.map(|(_, pattern)| CString::new(pattern).expect("it has no NUL"));
        let pointers = patterns.each_ref().map(|pattern| pattern.as_ptr());
        let (flags, ids) = ([FLAG_SOM_LEFTMOST; 5], [0, 1, 2, 3, 4]);
        let (mut database, mut scratch, mut error) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: the arrays have as many elements as said and live through the call; the rest are places for results.
        let compiled = unsafe {
            hs_compile_multi(
                pointers.as_ptr(),
                flags.as_ptr(),
                ids.as_ptr(),
                ALL.len() as c_uint,
                MODE_BLOCK,
                ptr::null(),
                &mut database,
                &mut error,
            )
        };
        assert_eq!(compiled, SUCCESS, "Vectorscan takes the patterns");
        // SAFETY: the database was made above.
        let allocated = unsafe { hs_alloc_scratch(database, &mut scratch) };
        assert_eq!(allocated, SUCCESS, "there is memory");
        Database { database, scratch }
    }

    fn scan(&mut self, text: &[u8], hits: &mut Vec<Hit>) {
        let context: *mut Vec<Hit> = hits;
        // SAFETY: text and vector live through the call, which is the only one that uses the scratch.
        let scanned = unsafe {
            hs_scan(
                self.database,
                text.as_ptr().cast(),
                text.len() as c_uint,
                0,
                self.scratch,
                take,
                context.cast(),
            )
        };
        assert_eq!(scanned, SUCCESS, "the search ends well");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are freed once.
        unsafe {
            hs_free_scratch(self.scratch);
            hs_free_database(self.database);
        }
    }
}

extern "C" fn take(id: c_uint, from: c_ulonglong, to: c_ulonglong, _: c_uint, context: *mut c_void) -> c_int {
    // SAFETY: the context is the vector that `scan` was given, and nobody else uses it meanwhile.
    let hits = unsafe { &mut *context.cast::<Vec<Hit>>() };
    let hit = (id as usize, from as usize, to as usize);
    match hits.last_mut() {
        Some(last) if (last.0, last.1) == (hit.0, hit.1) => last.2 = hit.2,
        _ => hits.push(hit),
    }
    0
}

/// Matches with their starts, and nothing done with them.
pub fn find() -> Peer {
    let (mut database, mut hits) = (Database::new(), Vec::new());
    Peer::new("Vectorscan, 5 patterns with match starts, find only", move |piece, _| {
        hits.clear();
        database.scan(piece, &mut hits);
        hits.len()
    })
}

/// Matches replaced.
pub fn replace() -> Peer {
    let (mut database, mut hits) = (Database::new(), Vec::new());
    Peer::new("Vectorscan, 5 patterns with match starts, replaced", move |piece, out| {
        hits.clear();
        database.scan(piece, &mut hits);
        hits.sort_unstable_by_key(|&(_, start, end)| (start, std::cmp::Reverse(end)));
        let (mut found, mut at) = (0, 0);
        for &(id, start, end) in &hits {
            if start < at {
                continue;
            }
            out.extend_from_slice(&piece[at..start]);
            out.extend_from_slice(ALL[id].0.as_bytes());
            at = end;
            found += 1;
        }
        out.extend_from_slice(&piece[at..]);
        found
    })
}
