use std::path::PathBuf;
use std::process::Command;

use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
use serde_json::Value;

use super::*;

/// What a program says.
fn said(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The folder of a package that this one is built with.
fn package(name: &str) -> PathBuf {
    let rustc = String::from_utf8(said("rustc", &["-vV"])).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    // What other systems need is not there, and need not be.
    let only = ["--offline", "--locked", "--filter-platform", host];
    let arguments = [&["metadata", "--format-version=1", "--manifest-path", manifest][..], &only].concat();
    let metadata: Value = serde_json::from_slice(&said(env!("CARGO"), &arguments)).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().find(|package| package["name"] == name).unwrap();
    PathBuf::from(found["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}

/// The descriptor without what tables leave out: options, comments, and the order of things.
fn bare(mut file: FileDescriptorProto) -> FileDescriptorProto {
    file.options = None;
    file.source_code_info = None;
    file.dependency.retain(|import| !import.starts_with("google/api/"));
    file.message_type.iter_mut().for_each(bare_message);
    file.message_type.sort_by(|a, b| a.name.cmp(&b.name));
    file.enum_type.sort_by(|a, b| a.name.cmp(&b.name));
    for method in file.service.iter_mut().flat_map(|service| &mut service.method) {
        method.options = None;
    }
    for service in &mut file.service {
        service.options = None;
        service.method.sort_by(|a, b| a.name.cmp(&b.name));
    }
    file
}

fn bare_message(message: &mut DescriptorProto) {
    message.field.iter_mut().for_each(|field: &mut FieldDescriptorProto| field.options = None);
    message.field.sort_by_key(|field| field.number);
    message.nested_type.iter_mut().for_each(bare_message);
    message.nested_type.sort_by(|a, b| a.name.cmp(&b.name));
    message.reserved_range.clear();
    message.reserved_name.clear();
}

#[test]
fn q01_the_tables_are_what_the_official_messages_were_made_from() {
    let folder = package("a2a-pb").join("proto");
    let compiled = protox::compile(["a2a.proto"], [folder]).unwrap();
    let ours = files();
    let published = ours.file.iter().filter(|file| file.package() != "a2a.v1");
    for file in published.clone() {
        let official = compiled.file.iter().find(|it| it.name == file.name).unwrap();
        let (file, official) = (bare(file.clone()), bare(official.clone()));
        for (ours, theirs) in file.message_type.iter().zip(&official.message_type) {
            assert_eq!(ours, theirs);
        }
        assert_eq!(file, official);
    }
    assert_eq!((published.count(), ours.file.len()), (4, 5));
}

#[test]
fn rpcs_are_known_by_their_names() {
    for service in [A2A_V1, A2A_V03] {
        assert!(is_method(service, "SendMessage"));
        assert!(is_method(service, "DeleteTaskPushNotificationConfig"));
        assert!(!is_method(service, "sendMessage") && !is_method(service, "") && !is_method(service, "Send"));
    }
    assert!(is_method(A2A_V03, "TaskSubscription") && !is_method(A2A_V1, "TaskSubscription"));
    assert!(!is_method("a2a.v1.A2A", "SendMessage") && !is_method("", "SendMessage"));
}
