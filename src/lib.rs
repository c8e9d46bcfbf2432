/*!
logveil keeps personal data and secrets out of logs.

This page is the manual of the source. A record's way is one-directional:

```text
source ─► frame ─► route ─► detect ─► act ─► queue ─► sink ─► store
(bytes)  (records) (stream,  (findings) (clean  (bounded, (batches,  (retention
                    class)              bytes)  clean only) retries)  enforced)
```

Raw bytes live only between *source* and *act*, in memory. The modules below
stand in layers; a module uses modules of a lower layer or itself, and modules
of one layer do not know each other. `tests/tidy` holds that rule.

Start reading at [`pipeline`]: it is the whole product, without any input or output.
*/

// 0: words
pub mod action;
pub mod clock;
pub mod entity;
pub mod limit;
pub mod mark;
pub mod record;
pub mod secret;
pub mod span;
pub mod ttl;

// 1: mechanisms
pub mod frame;
pub mod keys;
pub mod structure;
pub mod yaml;

// 2: understanding
pub mod codec;
pub mod detect;

// 3: changes
pub mod act;

// 4: decisions
pub mod policy;

// 5: the pure core
pub mod pipeline;

// 6: telling
pub mod telemetry;

// 7: outside
pub mod store;
pub mod vault;

// 8: the world
pub mod aggregate;
pub mod archive;
pub mod filter;
pub mod leak;
pub mod queue;
pub mod retention;
pub mod sink;
pub mod source;
pub mod subject;

// 9: settings
pub mod config;

// 10: the program
pub mod admin;
pub mod app;
pub mod bench;
pub mod cli;
