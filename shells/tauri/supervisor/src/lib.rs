//! Keeps one daemon running for a desktop app: starts it, checks that it answers, starts it again when it ends, and
//! gives up after too many crashes. It does not depend on Tauri; `shells/conformance` specifies its behaviour.

mod binary;
mod connection;
mod error;
mod exit;
mod info;
mod keeper;
mod lending;
mod life;
mod lines;
mod log;
mod options;
mod redaction;
mod socket_path;
mod state;
mod status;
mod supervisor;
mod timing;
mod tree;

pub use binary::{Binary, OVERRIDE, Places, Source, find_binary};
pub use connection::{Answer, Body, Call, Content, Endpoint, Socket, call, fetch, open_socket};
pub use error::{Error, Problem};
pub use exit::Exit;
pub use info::{Info, Transport};
pub use lending::{CallContext, Lending, Lent, Tool};
pub use life::PROTOCOL;
pub use log::{Entry, Log, Stream};
pub use options::Options;
pub use redaction::Redaction;
pub use socket_path::socket_path;
pub use status::Status;
pub use supervisor::Supervisor;
pub use timing::Timing;
