//! `grpc.reflection`, in both versions that tools ask for: which services there are, and what their messages look like.

use tonic_reflection::server::{Builder, Error, v1, v1alpha};

use super::descriptor;

/// The service in its version 1, and in the one before it.
///
/// # Errors
/// When the descriptors contradict themselves.
pub fn servers() -> Result<
    (
        v1::ServerReflectionServer<impl v1::ServerReflection>,
        v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection>,
    ),
    Error,
> {
    Ok((builder().build_v1()?, builder().build_v1alpha()?))
}

fn builder() -> Builder<'static> {
    Builder::configure()
        .register_file_descriptor_set(descriptor::files())
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
