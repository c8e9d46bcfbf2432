/*!
The real binary with real clients and real servers: what was sent arrives,
anonymised, once.
*/

mod clients;
mod deploy;
mod drain;
mod files;
mod protocols;
mod readme;
mod relay;
mod rescan;
mod secured;
mod stores;
