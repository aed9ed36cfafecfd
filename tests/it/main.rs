//! Behaviour over real sockets.
