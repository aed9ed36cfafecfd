//! tmp
/// tmp
pub const URI: &str = "urn:dify-a2a-gateway:extension:dify:v1";
