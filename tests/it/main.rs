//! Behaviour over real sockets: A2A clients on one side, a scripted Dify on the other, the gateway between.

mod cancel;
mod conversations;
mod dialects;
mod faults;
mod limits;
mod protocol;
mod replay;
mod streams;
mod support;
