//! Dependencies point one way: what each part of the program may not know, held against its sources.

use std::path::{Path, PathBuf};

/// A part, and what its sources may not name outside of tests.
const RULES: [(&str, &[&str]); 8] = [
    (
        "core",
        &[
            "crate::app",
            "crate::bridge",
            "crate::dify",
            "crate::edge",
            "crate::store",
            "crate::translate",
            "axum",
            "reqwest",
            "http::",
        ],
    ),
    ("dify", &["crate::app", "crate::bridge", "crate::edge", "crate::store", "crate::translate", "axum"]),
    (
        "translate",
        &["crate::app", "crate::bridge", "crate::edge", "crate::store", "axum", "reqwest", "tokio"],
    ),
    ("bridge", &["crate::app", "crate::edge", "crate::store", "axum"]),
    (
        "store",
        &["crate::app", "crate::bridge", "crate::dify", "crate::edge", "crate::translate", "axum", "reqwest"],
    ),
    ("edge", &["crate::app", "crate::bridge", "crate::dify", "crate::store", "crate::translate", "reqwest"]),
    ("egress", &["crate::", "axum"]),
    ("files", &["axum", "reqwest", "http::"]),
];

/// The dialects know no HTTP either.
const DIALECTS: [&str; 3] = ["edge/a2a_v1", "edge/a2a_v03", "edge/legacy"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The lines of a part that are program and not test, with where they stand.
fn program_lines(part: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(part);
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(!files.is_empty(), "{part} has no sources");
    let mut lines = Vec::new();
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let is_test =
            ["tests.rs", "_tests.rs", "testing.rs", "contract.rs", "scripted.rs", "stage.rs", "fixture.rs"]
                .iter()
                .any(|end| name.ends_with(end));
        if is_test {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a source");
        let program = text.split("#[cfg(test)]\nmod ").next().unwrap_or("");
        for (number, line) in program.lines().enumerate() {
            if !line.trim_start().starts_with("//") {
                lines.push((format!("{}:{}", file.display(), number + 1), line.to_owned()));
            }
        }
    }
    lines
}

fn assert_ignorant(part: &str, of: &[&str]) {
    for (place, line) in program_lines(part) {
        for name in of {
            assert!(!line.contains(name), "{part} must not know {name}: {place}: {line}");
        }
    }
}

#[test]
fn every_part_knows_only_what_it_may() {
    for (part, of) in RULES {
        assert_ignorant(part, of);
    }
    for dialect in DIALECTS {
        assert_ignorant(dialect, &["axum", "http::", "tokio"]);
    }
}

#[test]
fn the_shelf_knows_identifiers_and_nothing_else_of_the_program() {
    for (place, line) in program_lines("files") {
        let knows_more = line.replace("crate::core::ids::", "").contains("crate::");
        assert!(!knows_more, "files may know core::ids only: {place}: {line}");
    }
}
