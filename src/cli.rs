//! The command line: takes arguments, reads the settings, runs a command, gives an exit code.
//!
//! 0: it went well. 1: it did not. 2: the arguments or the configuration are wrong.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use tokio::io::BufReader;

use crate::chat;
use crate::commands::{ask, serve};
use crate::config::{CommandLine, Finding, Flag, Loaded, Problems, Purpose, Settings};
use crate::demo;
use crate::logging;

/// Exit code of wrong arguments (clap's own) and wrong configuration.
const USAGE: u8 = 2;

/// Makes one Dify app reachable as one A2A agent.
#[derive(Debug, Parser)]
#[command(name = "dify-a2a", version, about, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

const AFTER_HELP: &str = "Without a command it is `serve`. `dify-a2a demo` needs no Dify and no key. Settings come \
                          from gateway.toml, .env, the environment and these options; later wins.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve,
    /// Run the gateway in front of a small Dify app that is built in, and print how to talk to it
    Demo {
        /// Which app
        #[arg(long, value_enum, default_value_t, value_name = "NAME")]
        app: demo::App,
    },
    /// Read the configuration, ask Dify about the app, and tell whether `serve` would work
    Check,
    /// Print the Agent Card that would be served
    Card {
        /// Print the extended card
        #[arg(long)]
        extended: bool,
    },
    /// Chat with any A2A agent in the terminal; in a pipe it exits with 1 if the last turn failed
    Chat {
        /// Address of the agent, of its interface, or of its card
        #[arg(default_value = chat::USUAL_URL)]
        url: String,
    },
}

/// Settings that make sense to give by hand. They are checked with all the others, so they are plain text here.
#[derive(Args, Debug)]
struct Options {
    /// Read this file instead of gateway.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on (HOST)
    #[arg(long, global = true, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on; 0 picks a free one (PORT)
    #[arg(long, global = true, value_name = "PORT")]
    port: Option<String>,
    /// Base of the addresses that the card gives to clients; the card appends /a2a (PUBLIC_URL)
    #[arg(long, global = true, value_name = "URL")]
    public_url: Option<String>,
    /// error, warn, info, debug, trace or a filter (LOG_LEVEL)
    #[arg(long, global = true, value_name = "FILTER")]
    log_level: Option<String>,
    /// text or json (LOG_FORMAT)
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Options {
    fn command_line(&self) -> CommandLine {
        let given = [
            ("--host", "HOST", &self.host),
            ("--port", "PORT", &self.port),
            ("--public-url", "PUBLIC_URL", &self.public_url),
            ("--log-level", "LOG_LEVEL", &self.log_level),
            ("--log-format", "LOG_FORMAT", &self.log_format),
        ];
        let flags = given
            .into_iter()
            .filter_map(|(name, env, value)| Some(Flag { name, env, value: value.clone()? }));
        CommandLine { config: self.config.clone(), flags: flags.collect() }
    }

    /// Reads the settings of this process.
    fn load(&self, purpose: Purpose) -> anyhow::Result<Loaded> {
        let working_dir = std::env::current_dir().context("cannot tell the working directory")?;
        Ok(Settings::load(purpose, &self.command_line(), std::env::vars_os(), &working_dir)?)
    }
}

impl Cli {
    /// Runs the command. `out` gets what it was asked for, and nothing else.
    ///
    /// # Errors
    /// Whatever ends the command early; [`exit_code`] has the code for it.
    pub async fn run(self, out: &mut (dyn Write + Send)) -> anyhow::Result<ExitCode> {
        match self.command.unwrap_or(Command::Serve) {
            Command::Serve => {
                let settings = logged(self.options.load(Purpose::Dify)?)?;
                serve::serve(settings, out).await?;
            }
            Command::Demo { app } => {
                let settings = logged(self.options.load(Purpose::Demo)?)?;
                serve::demo(app, settings, out).await?;
            }
            Command::Check => {
                let Loaded { settings, warnings } = self.options.load(Purpose::Dify)?;
                self.options.log_if_asked(&settings)?;
                let mut report = ask::check(&settings).await;
                report.warnings.splice(..0, warnings);
                write!(out, "{report}")?;
                if !report.is_good() {
                    return Ok(ExitCode::FAILURE);
                }
            }
            Command::Card { extended } => {
                let Loaded { settings, .. } = self.options.load(Purpose::Dify)?;
                self.options.log_if_asked(&settings)?;
                let card = ask::card(&settings, extended).await?;
                writeln!(out, "{card}")?;
            }
            Command::Chat { url } => {
                let interactive = std::io::stdin().is_terminal();
                let terminal = chat::Terminal {
                    input: BufReader::new(tokio::io::stdin()),
                    output: out,
                    notes: &mut std::io::stderr(),
                    interactive,
                    output_is_screen: std::io::stdout().is_terminal(),
                    notes_are_screen: std::io::stderr().is_terminal(),
                };
                // A person has seen how it went; a script wants to be told.
                let went_well = chat::run(&url, terminal).await?;
                if !went_well && !interactive {
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Options {
    /// Commands that print an answer keep quiet otherwise, unless a log was asked for by hand.
    fn log_if_asked(&self, settings: &Settings) -> anyhow::Result<()> {
        if self.log_level.is_some() {
            logging::init(&settings.log)?;
        }
        Ok(())
    }
}

/// Begins the log and puts the warnings in it.
fn logged(loaded: Loaded) -> anyhow::Result<Settings> {
    logging::init(&loaded.settings.log)?;
    for Finding { setting, origin, wrong, mend } in &loaded.warnings {
        tracing::warn!(%setting, %origin, %mend, "setting: {wrong}");
    }
    Ok(loaded.settings)
}

/// The exit code that goes with an error.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<Problems>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_is_serve_and_options_go_anywhere() {
        let cli = Cli::parse_from(["dify-a2a", "--port", "1"]);
        assert!(cli.command.is_none());
        let cli = Cli::parse_from(["dify-a2a", "demo", "--port", "0", "--config", "x.toml"]);
        let line = cli.options.command_line();
        assert_eq!(line.config, Some(PathBuf::from("x.toml")));
        let [flag] = line.flags.as_slice() else { panic!("{line:?}") };
        assert_eq!((flag.name, flag.env, flag.value.as_str()), ("--port", "PORT", "0"));
    }

    #[test]
    fn demo_is_the_chat_unless_another_app_is_named() {
        for (arguments, expected) in [
            (&["dify-a2a", "demo"][..], demo::App::Chat),
            (&["dify-a2a", "demo", "--app", "chat"], demo::App::Chat),
            (&["dify-a2a", "demo", "--app", "workflow"], demo::App::Workflow),
            (&["dify-a2a", "--port", "0", "demo", "--app", "approval"], demo::App::Approval),
        ] {
            let cli = Cli::parse_from(arguments);
            assert!(matches!(cli.command, Some(Command::Demo { app }) if app == expected), "{arguments:?}");
        }
        assert!(Cli::try_parse_from(["dify-a2a", "demo", "--app", "other"]).is_err());
    }

    #[test]
    fn chat_has_a_usual_address() {
        let cli = Cli::parse_from(["dify-a2a", "chat"]);
        assert!(matches!(cli.command, Some(Command::Chat { url }) if url == chat::USUAL_URL));
    }

    #[test]
    fn wrong_configuration_has_an_exit_code_of_its_own() {
        let problems = anyhow::Error::new(Problems::new(Vec::new()));
        assert_eq!(exit_code(&problems), ExitCode::from(USAGE));
        assert_eq!(exit_code(&anyhow::anyhow!("other")), ExitCode::FAILURE);
    }
}
