//! What `dify-a2a check` prints: takes what was learned about the app, gives a page for people.

use std::fmt;

use crate::config::Finding;

/// What is known about the app, the agent it would be, and what is in the way.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Base address of Dify's API, without secrets.
    pub dify_url: String,
    /// Dify's version, if it tells.
    pub dify_version: Option<String>,
    /// The app, if Dify told.
    pub app: Option<App>,
    /// The inputs that the app wants, in its order.
    pub inputs: Vec<Input>,
    /// What the agent can and cannot do.
    pub features: Vec<Feature>,
    /// What keeps `serve` from working.
    pub problems: Vec<Problem>,
    /// What looks wrong but does not.
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

/// An input of the app.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its variable.
    pub name: String,
    /// Its type in Dify's words, such as `text-input`.
    pub kind: String,
    /// Whether the app refuses to run without it.
    pub required: bool,
}

/// Something an A2A agent may be able to do.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// Whether this agent can.
    pub available: bool,
    /// Why, or how; may be empty.
    pub remark: String,
}

/// Something that keeps `serve` from working.
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
        list(f, "Inputs", &self.inputs, |input| {
            let need = if input.required { "required" } else { "optional" };
            format!("{} ({}, {need})", one_line(&input.name), input.kind)
        })?;
        list(f, "Agent", &self.features, |feature| {
            let mark = if feature.available { "yes" } else { "no " };
            let remark =
                if feature.remark.is_empty() { String::new() } else { format!(": {}", feature.remark) };
            format!("{mark}  {}{remark}", feature.name)
        })?;
        list(f, "Warnings", &self.warnings, |warning| warning.to_string().replace('\n', "\n       "))?;
        list(f, "Problems", &self.problems, |problem| {
            format!("{}\n           {}", problem.wrong, problem.mend)
        })?;
        let verdict = if self.is_good() { "serve would work" } else { "serve would not work" };
        writeln!(f, "\n{verdict}")
    }
}

/// A heading with one line an item, or nothing when there are none.
fn list<T>(
    f: &mut fmt::Formatter<'_>,
    heading: &str,
    items: &[T],
    line: impl Fn(&T) -> String,
) -> fmt::Result {
    for (number, item) in items.iter().enumerate() {
        if number == 0 {
            writeln!(f, "\n{heading}")?;
        }
        writeln!(f, "         {}", line(item))?;
    }
    Ok(())
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
            inputs: vec![Input { name: "topic".to_owned(), kind: "select".to_owned(), required: true }],
            features: vec![
                Feature { name: "streaming".to_owned(), available: true, remark: String::new() },
                Feature {
                    name: "push notifications".to_owned(),
                    available: false,
                    remark: "not in this version".to_owned(),
                },
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
             Inputs\n         topic (select, required)\n\
             \n\
             Agent\n         yes  streaming\n         no   push notifications: not in this version\n\
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
