//! The name of the gateway's own extension of A2A: clients find it in the Agent Card, and it is the key of what they and
//! the gateway tell each other in metadata (A2A 1.0 §4.6).

/// Its URI.
pub const URI: &str = "urn:dify-a2a-gateway:extension:dify:v1";
