//! stub
/// key
pub const KEY: &str = "app-demo";
