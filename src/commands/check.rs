//! What `dify-a2a check` prints: takes what was learned about the app, gives a page for people.

use std::fmt;

use crate::config::Finding;

/// Widest column that the others make room for, characters; a longer cell pushes its own line only.
const WIDEST: usize = 32;

/// What is known about the app, the agent it would be, and what is in the way.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Base address of Dify's API, without secrets.
    pub dify_url: String,
    /// Dify's version, if it tells.
    pub dify_version: Option<String>,
    /// The app, if Dify told.
    pub app: Option<App>,
    /// What is to be known of it, and what the gateway makes of it.
    pub sections: Vec<Section>,
    /// What looks wrong in the app or for the app, but keeps nothing from working.
    pub doubts: Vec<Problem>,
    /// What keeps `serve` from working.
    pub problems: Vec<Problem>,
    /// What looks wrong in the settings, but keeps nothing from working.
    pub warnings: Vec<Finding>,
}

/// The app as Dify describes it.
#[derive(Clone, Debug)]
pub struct App {
    /// Its name.
    pub name: String,
    /// Its mode in Dify's words, such as `advanced-chat`, if Dify tells.
    pub mode: Option<String>,
    /// What it does; may be empty.
    pub description: String,
}

/// Lines on one subject.
#[derive(Clone, Debug)]
pub struct Section {
    /// The subject.
    pub heading: &'static str,
    /// A line for each thing: what stands in its columns. The last column may be longer than the page is wide.
    pub rows: Vec<Vec<String>>,
}

/// Something wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What is wrong.
    pub wrong: String,
    /// How to mend it.
    pub mend: String,
}

impl Report {
    /// Whether `serve` would work.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.dify_version.as_deref().unwrap_or("of unknown version");
        writeln!(f, "Dify {version} at {}", self.dify_url)?;
        if let Some(app) = &self.app {
            let mode = app.mode.as_deref().unwrap_or("unknown mode");
            writeln!(f, "\nApp      {} ({mode})", one_line(&app.name))?;
            if !app.description.is_empty() {
                writeln!(f, "         {}", one_line(&app.description))?;
            }
        }
        for section in &self.sections {
            list(f, section.heading, aligned(&section.rows))?;
        }
        let warnings = self.warnings.iter().map(|warning| warning.to_string().replace('\n', "\n       "));
        list(f, "Warnings", warnings.chain(self.doubts.iter().map(with_mend)))?;
        list(f, "Problems", self.problems.iter().map(with_mend))?;
        let verdict = if self.is_good() { "serve would work" } else { "serve would not work" };
        writeln!(f, "\n{verdict}")
    }
}

/// A heading with one line an item, or nothing when there are none.
fn list(f: &mut fmt::Formatter<'_>, heading: &str, lines: impl IntoIterator<Item = String>) -> fmt::Result {
    for (number, line) in lines.into_iter().enumerate() {
        if number == 0 {
            writeln!(f, "\n{heading}")?;
        }
        writeln!(f, "         {line}")?;
    }
    Ok(())
}

fn with_mend(problem: &Problem) -> String {
    format!("{}\n           {}", one_line(&problem.wrong), one_line(&problem.mend))
}

/// Rows as lines whose columns begin at the same place, two blanks apart.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
    let width = |column: usize| {
        let of_row = |row: &Vec<String>| match row.get(column) {
            Some(cell) if column + 1 < row.len() => cell.chars().count().min(WIDEST),
            Some(_) | None => 0,
        };
        rows.iter().map(of_row).max().unwrap_or(0)
    };
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Text from elsewhere on one line, without characters that play tricks on terminals.
fn one_line(text: &str) -> String {
    let plain = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    plain.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_report_is_a_page_for_people() {
        let report = Report {
            dify_url: "https://dify.example/v1/".to_owned(),
            dify_version: Some("1.14.2".to_owned()),
            app: Some(App {
                name: "Help\u{1b}desk".to_owned(),
                mode: Some("chat".to_owned()),
                description: "Answers\nquestions".to_owned(),
            }),
            sections: vec![
                Section {
                    heading: "Inputs",
                    rows: vec![
                        vec!["topic".to_owned(), "select".to_owned(), "required".to_owned(), String::new()],
                        vec![
                            "n".to_owned(),
                            "number".to_owned(),
                            "optional".to_owned(),
                            "default\n5".to_owned(),
                        ],
                    ],
                },
                Section {
                    heading: "Features",
                    rows: vec![
                        vec!["yes".to_owned(), "streaming".to_owned()],
                        vec!["no".to_owned(), "push notifications: not in this version".to_owned()],
                    ],
                },
                Section { heading: "Nothing", rows: Vec::new() },
            ],
            ..Report::default()
        };
        assert!(report.is_good());
        assert_eq!(
            report.to_string(),
            "Dify 1.14.2 at https://dify.example/v1/\n\
             \n\
             App      Help desk (chat)\n         Answers questions\n\
             \n\
             Inputs\n         topic  select  required\n         n      number  optional  default 5\n\
             \n\
             Features\n         yes  streaming\n         no   push notifications: not in this version\n\
             \n\
             serve would work\n"
        );
    }

    #[test]
    fn a_problem_comes_with_its_remedy() {
        let problem = Problem { wrong: "the key was refused".to_owned(), mend: "make a new one".to_owned() };
        let report = Report { problems: vec![problem], ..Report::default() };
        assert!(!report.is_good());
        let text = report.to_string();
        assert!(
            text.contains("Problems\n         the key was refused\n           make a new one\n"),
            "{text}"
        );
        assert!(text.ends_with("\nserve would not work\n"), "{text}");
    }
}
