//! Every requirement of A2A that the gateway is held to has a test that names it, and the table in
//! `docs/conformance.md` says which.
//!
//! `docs/requirements.tsv` lists the requirements. A test names those it checks at the beginning of its name
//! (`c01_c18_…`, `l02_to_l05_and_l07_…`), a foreign client's judge in a comment (`covers: O13 O16`). The table is made
//! of both: `make requirements` writes it, and the test here fails when it is not what it should be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const LIST: &str = "docs/requirements.tsv";
const PAGE: &str = "docs/conformance.md";
const BEGIN: &str = "<!-- requirements:begin -->\n";
const END: &str = "<!-- requirements:end -->\n";

/// What stands in the way of a requirement.
#[derive(Debug, Eq, PartialEq)]
enum Limit {
    None,
    /// Its condition does not hold: the name of that condition.
    Unmet(String),
    /// Something of it is not so.
    Partly(String),
}

struct Requirement {
    number: String,
    level: String,
    source: String,
    text: String,
    limit: Limit,
}

struct Chapter {
    title: String,
    requirements: Vec<Requirement>,
}

/// A condition that does not hold, and the test that shows it.
struct Condition {
    words: String,
    test: String,
}

/// A test, and the file it is in, from the root of the project.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Test {
    file: String,
    name: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn read_list(text: &str) -> (Vec<Chapter>, BTreeMap<String, Condition>) {
    let (mut chapters, mut conditions) = (Vec::<Chapter>::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            chapters.push(Chapter { title: title.to_owned(), requirements: Vec::new() });
        } else if let Some(condition) = line.strip_prefix('!') {
            let [name, words, test] = fields(condition);
            conditions.insert(name, Condition { words, test });
        } else if !line.is_empty() && !line.starts_with('#') {
            let with_limit =
                if line.matches('\t').count() == 3 { format!("{line}\t") } else { line.to_owned() };
            let [number, level, source, text, limit] = fields(&with_limit);
            let limit = match limit.split_at_checked(1) {
                Some(("!", name)) => Limit::Unmet(name.to_owned()),
                Some(("~", words)) => Limit::Partly(words.to_owned()),
                Some(_) => panic!("{number}: {limit:?} is no limit"),
                None => Limit::None,
            };
            let chapter = chapters.last_mut().expect("a chapter first");
            chapter.requirements.push(Requirement { number, level, source, text, limit });
        }
    }
    (chapters, conditions)
}

fn fields<const N: usize>(line: &str) -> [String; N] {
    let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
    fields.try_into().unwrap_or_else(|_| panic!("{line:?} has not {N} fields"))
}

/// `C01` of `c01`.
fn number(word: &str) -> Option<String> {
    match word.as_bytes() {
        [b'a'..=b'z', b'0'..=b'9', b'0'..=b'9'] => Some(word.to_ascii_uppercase()),
        _ => None,
    }
}

/// The numbers at the beginning of a test's name.
fn named_by(test: &str) -> Vec<String> {
    let mut numbers: Vec<String> = Vec::new();
    let mut words = test.split('_').peekable();
    while let Some(word) = words.next() {
        let following = words.peek().and_then(|word| number(word));
        match (word, numbers.last().cloned(), following) {
            ("and", Some(_), Some(_)) => {}
            ("to", Some(from), Some(to)) => numbers.extend(between(&from, &to)),
            _ => match number(word) {
                Some(number) => numbers.push(number),
                None => break,
            },
        }
    }
    numbers
}

/// The numbers after `from` and before `to`.
fn between(from: &str, to: &str) -> Vec<String> {
    let (letter, from) = (&from[..1], from[1..].parse::<u32>().expect("a number"));
    let before = to[1..].parse::<u32>().expect("a number");
    assert!(to.starts_with(letter) && from < before, "{letter}{from} to {to} is no range");
    (from + 1..before).map(|number| format!("{letter}{number:02}")).collect()
}

/// The names of the tests in a source: functions with a test's attribute that are not ignored.
fn tests_in(source: &str) -> Vec<&str> {
    let (mut tests, mut is_test) = (Vec::new(), false);
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if line.starts_with("#[ignore") {
            is_test = false;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            let function = line.trim_start_matches("pub(crate) ").trim_start_matches("async ");
            let name = function.strip_prefix("fn ").and_then(|rest| rest.split(['(', '<']).next());
            tests.extend(name.filter(|_| std::mem::take(&mut is_test)));
        }
    }
    tests
}

/// The numbers that a judge says it covers.
fn covered_in(source: &str) -> BTreeSet<String> {
    let lists = source.lines().filter_map(|line| line.split_once("covers: "));
    let words = lists.flat_map(|(_, list)| list.split_whitespace());
    words
        .map(|word| number(&word.to_ascii_lowercase()).unwrap_or_else(|| panic!("{word:?} is no number")))
        .collect()
}

fn files(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            // What package managers put there is nobody's test.
            if !path.ends_with("node_modules") && !path.ends_with("target") {
                files(&path, endings, found);
            }
        } else if path.extension().is_some_and(|ending| endings.iter().any(|it| ending == *it)) {
            found.push(path);
        }
    }
    found.sort();
}

fn sources(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    files(&root().join(folder), endings, &mut found);
    let named = found.iter().map(|file| {
        let name = file.strip_prefix(root()).expect("in the project").to_string_lossy().replace('\\', "/");
        (name, text_of(file))
    });
    named.collect()
}

/// All tests, and all that says of itself that it covers something.
fn all_tests() -> (Vec<Test>, Vec<(String, Test)>) {
    let (mut tests, mut naming) = (Vec::new(), Vec::new());
    for (file, source) in ["src", "tests"].iter().flat_map(|folder| sources(folder, &["rs"])) {
        for name in tests_in(&source) {
            let test = Test { file: file.clone(), name: name.to_owned() };
            naming.extend(named_by(name).into_iter().map(|number| (number, test.clone())));
            tests.push(test);
        }
    }
    for (file, source) in sources("interop", &["py", "mjs", "js", "rs"]) {
        let name = file.rsplit('/').next().expect("a name").to_owned();
        let judge = Test { file, name };
        naming.extend(covered_in(&source).into_iter().map(|number| (number, judge.clone())));
    }
    (tests, naming)
}

fn link(test: &Test) -> String {
    format!("[`{}`](../{})", test.name, test.file)
}

/// The table, and what is wrong with the list or the tests.
fn table() -> (String, Vec<String>) {
    let (chapters, conditions) = read_list(&text_of(&root().join(LIST)));
    let (tests, naming) = all_tests();
    let mut problems = Vec::new();
    let mut of: BTreeMap<&str, BTreeSet<&Test>> = BTreeMap::new();
    for (number, test) in &naming {
        of.entry(number).or_default().insert(test);
    }
    let all: Vec<&Requirement> = chapters.iter().flat_map(|chapter| &chapter.requirements).collect();
    let known: BTreeSet<&str> = all.iter().map(|requirement| requirement.number.as_str()).collect();
    if known.len() != all.len() {
        problems.push("a number is given twice".to_owned());
    }
    for (number, tests) in of.iter().filter(|(number, _)| !known.contains(*number)) {
        problems.push(format!("{number} is no requirement, but {tests:?} names it"));
    }
    let mut shown = BTreeMap::new();
    for (name, condition) in &conditions {
        match tests.iter().find(|test| test.name == condition.test) {
            Some(test) => drop(shown.insert(name.as_str(), format!("{} ({})", condition.words, link(test)))),
            None => problems.push(format!("the condition {name} has no test {}", condition.test)),
        }
    }
    let (mut rows, mut applying) = (String::new(), 0);
    for chapter in &chapters {
        let _ = write!(rows, "\n### {}\n\n", chapter.title);
        rows.push_str("| number | level | requirement | source | tests |\n| --- | --- | --- | --- | --- |\n");
        for Requirement { number, level, source, text, limit } in &chapter.requirements {
            let mut cell: Vec<String> =
                of.get(number.as_str()).into_iter().flatten().map(|test| link(test)).collect();
            applying += usize::from(!matches!(limit, Limit::Unmet(_)));
            match limit {
                Limit::Unmet(name) => match shown.get(name.as_str()) {
                    Some(words) => cell.insert(0, format!("does not apply: {words}")),
                    None => problems.push(format!("{number}: there is no condition {name}")),
                },
                Limit::None | Limit::Partly(_) if cell.is_empty() => {
                    problems.push(format!("{number} has no test: {text}"));
                }
                Limit::None => {}
                Limit::Partly(words) => cell.push(format!("except: {words}")),
            }
            let _ = writeln!(rows, "| {number} | {level} | {text} | {source} | {} |", cell.join("<br>"));
        }
    }
    let unused =
        conditions.keys().filter(|name| !all.iter().any(|it| it.limit == Limit::Unmet((*name).clone())));
    problems.extend(unused.map(|name| format!("no requirement has the condition {name}")));
    let (total, not_applying) = (all.len(), all.len() - applying);
    let head = format!("{total} requirements: {applying} have tests, {not_applying} do not apply");
    (format!("{head}.\n{rows}"), problems)
}

#[test]
fn the_table_of_requirements_is_what_the_tests_say() {
    let (table, problems) = table();
    let page = text_of(&root().join(PAGE));
    let (before, rest) = page.split_once(BEGIN).expect("a beginning of the table");
    let (found, after) = rest.split_once(END).expect("an end of the table");
    if std::env::var_os("UPDATE_REQUIREMENTS").is_some_and(|value| value == "1") {
        let page = format!("{before}{BEGIN}{table}{END}{after}");
        std::fs::write(root().join(PAGE), page).expect("written");
    } else {
        assert_eq!(found, table, "{PAGE} is not up to date: `make requirements` writes it");
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn names_tell_numbers() {
    for (name, numbers) in [
        ("c01_the_card", &["C01"][..]),
        ("l02_to_l04_and_l07_a_list", &["L02", "L03", "L04", "L07"]),
        ("d05_d06_j07_bad_parts", &["D05", "D06", "J07"]),
        ("o01_to_be_sure", &["O01"]),
        ("a_turn_in_0_3", &[]),
        ("f3_an_error", &[]),
        ("and_c01", &[]),
    ] {
        assert_eq!(named_by(name), numbers, "{name}");
    }
}

#[test]
fn only_tests_that_run_count() {
    let source = "
        #[test]\n    fn c01_one() {}\n    fn c02_helper() {}\n
        /// fn c03_in_a_comment() {}\n    #[tokio::test(start_paused = true)]\n    #[expect(clippy::panic)]
        // why\n    async fn c04_four() {}\n
        #[test]\n    #[ignore = \"later\"]\n    fn c05_five() {}\n    proptest! { \n #[test]\n fn c06_any(x in 0..9) {} }";
    assert_eq!(tests_in(source), ["c01_one", "c04_four", "c06_any"]);
    assert_eq!(covered_in("# covers: O13 O16\nexpect()").into_iter().collect::<Vec<_>>(), ["O13", "O16"]);
}
