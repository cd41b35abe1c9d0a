//! Keeps one daemon running for a desktop app: starts it, sees that it answers, starts it again when it ends, and gives
//! up when that is no use. Nothing here knows of Tauri; `shells/conformance` says how it has to behave.

mod binary;
mod connection;
mod error;
mod life;
mod lines;
mod log;
mod redaction;
mod socket_path;
mod supervisor;
mod timing;
mod tree;

pub use binary::{Binary, OVERRIDE, Places, Source, find_binary};
pub use connection::{Answer, Call, Endpoint, Socket, call, open_socket};
pub use error::{Error, Problem};
pub use life::{Exit, PROTOCOL};
pub use log::{Entry, Log, Stream};
pub use redaction::Redaction;
pub use socket_path::socket_path;
pub use supervisor::{Info, Options, Status, Supervisor, Transport};
pub use timing::Timing;
