//! The two hops under test: nginx as a pass-through proxy, and the gateway. Each is a process of its own in front of
//! the same stand-in.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::check;
use super::cpu::{self, Cpu};
use super::stand_in::{Script, StandIn};
use super::wire::{Body, Connection};

/// How long a hop may take to start.
const START: Duration = Duration::from_secs(15);

/// Which hop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Gateway,
    Nginx,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Nginx => "nginx",
        }
    }

    /// Asks for an answer by way of this hop, in the words it is to be asked in.
    pub(crate) async fn ask(self, connection: &mut Connection, script: Script, id: u64) -> Result<Body> {
        let query = script.query();
        match self {
            Self::Nginx => {
                let body = format!(
                    r#"{{"inputs":{{}},"query":"{query}","response_mode":"streaming","user":"bench","files":[],"auto_generate_name":false}}"#
                );
                let headers = "Authorization: Bearer app-bench\r\n";
                let expected = (script.deltas + 4) * super::stand_in::message_bytes();
                connection.post("/v1/chat-messages", headers, &body, expected).await
            }
            Self::Gateway => {
                let body = format!(
                    r#"{{"jsonrpc":"2.0","id":{id},"method":"SendStreamingMessage","params":{{"message":{{"messageId":"bench-{id}","role":"ROLE_USER","parts":[{{"text":"{query}"}}]}}}}}}"#
                );
                let headers = "A2A-Version: 1.0\r\nAccept: text/event-stream\r\n";
                connection.post("/", headers, &body, script.deltas * 400 + 8192).await
            }
        }
    }

    /// Looks at every byte of an answer.
    pub(crate) fn check(
        self,
        body: &Body,
        stand_in: &StandIn,
        script: Script,
        id: u64,
    ) -> Result<check::Seen> {
        let answer = stand_in.answer(script.deltas);
        match self {
            Self::Nginx => check::nginx(body, &answer),
            Self::Gateway => check::gateway(body, &answer.text, id),
        }
    }
}

/// A hop that runs.
pub(crate) struct Hop {
    pub kind: Kind,
    /// Where it listens.
    pub address: SocketAddr,
    /// The processes whose CPU time counts.
    pub pids: Vec<u32>,
    /// Ends with the hop.
    process: Child,
    stop: Option<std::process::Command>,
}

impl Hop {
    /// The CPU time it has used since it started.
    pub(crate) fn cpu(&self) -> Result<Cpu> {
        Cpu::of(&self.pids).with_context(|| format!("{} does not run any more", self.kind.name()))
    }

    /// The process that the others, if any, are children of.
    pub(crate) fn pid(&self) -> u32 {
        self.pids.first().copied().unwrap_or(0)
    }

    /// nginx, one worker, as its manual says to pass an event stream on: no buffering, connections kept.
    pub(crate) async fn nginx(stand_in: &StandIn, dir: &Path) -> Result<Self> {
        let port = free_port()?;
        let config = dir.join("nginx.conf");
        fs::write(&config, nginx_config(stand_in.address, port, dir))?;
        let command = || {
            let mut command = std::process::Command::new(nginx_binary());
            command.arg("-e").arg(dir.join("error.log")).arg("-p").arg(dir).arg("-c").arg(&config);
            command
        };
        let mut stop = command();
        stop.args(["-s", "stop"]);
        let mut start = Command::from(command());
        let process =
            start.stdin(Stdio::null()).spawn().context("nginx cannot be started; is it installed?")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut hop = Self { kind: Kind::Nginx, address, pids: Vec::new(), process, stop: Some(stop) };
        hop.wait_for_port().await?;
        let master = hop.process.id().context("nginx has ended")?;
        hop.pids.push(master);
        hop.pids.extend(cpu::children(master));
        if hop.pids.len() != 2 {
            bail!("nginx has not exactly one worker: {:?}", hop.pids);
        }
        Ok(hop)
    }

    /// The gateway with its defaults, as a release binary.
    pub(crate) async fn gateway(stand_in: &StandIn, dir: &Path, binary: &Path) -> Result<Self> {
        let mut command = Command::new(binary);
        // A directory and an environment of its own: no configuration of the one who runs this takes part.
        command.arg("serve").current_dir(dir).env_clear().kill_on_drop(true);
        command
            .env("DIFY_API_URL", format!("http://{}/v1", stand_in.address))
            .env("DIFY_API_KEY", "app-bench");
        command.env("HOST", "127.0.0.1").env("PORT", "0");
        command.envs(std::env::vars().filter(|(name, _)| name == "TOKIO_WORKER_THREADS"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let (lines, mut heard) = mpsc::unbounded_channel();
        forward(process.stdout.take(), lines.clone());
        forward(process.stderr.take(), lines);
        let mut said = String::new();
        let address = timeout(START, async {
            while let Some(line) = heard.recv().await {
                said.push_str(&line);
                said.push('\n');
                let found = addresses(&line).find(|address| *address != stand_in.address);
                if let Some(address) = found {
                    return Some(address);
                }
            }
            None
        });
        let address =
            address.await.ok().flatten().with_context(|| format!("the gateway tells no address:\n{said}"))?;
        tokio::spawn(async move { while heard.recv().await.is_some() {} });
        let pid = process.id().context("the gateway has ended")?;
        let mut hop = Self { kind: Kind::Gateway, address, pids: vec![pid], process, stop: None };
        hop.wait_for_port().await?;
        Ok(hop)
    }

    async fn wait_for_port(&mut self) -> Result<()> {
        for _ in 0..100 {
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended at once: {status}", self.kind.name());
            }
            if Connection::open(self.address).await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("{} does not listen on {}", self.kind.name(), self.address)
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        // nginx's master must end its worker itself; the gateway is killed as its handle is dropped.
        if let Some(stop) = &mut self.stop {
            let _ = stop.status();
        }
    }
}

fn forward(from: Option<impl AsyncRead + Send + Unpin + 'static>, to: mpsc::UnboundedSender<String>) {
    let Some(from) = from else { return };
    let mut lines = BufReader::new(from).lines();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            if to.send(line).is_err() {
                return;
            }
        }
    });
}

/// The addresses on 127.0.0.1 that a line names.
fn addresses(line: &str) -> impl Iterator<Item = SocketAddr> {
    line.split("127.0.0.1:").skip(1).filter_map(|after| {
        let digits = after.split(|char: char| !char.is_ascii_digit()).next()?;
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, digits.parse().ok()?)))
    })
}

/// Debian puts it where only root looks for programs.
fn nginx_binary() -> &'static str {
    if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn nginx_config(upstream: SocketAddr, port: u16, dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    keepalive_timeout 600s;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    upstream dify {{
        server {upstream};
        keepalive 512;
        keepalive_requests 1000000;
        keepalive_timeout 600s;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://dify;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_buffering off;
            proxy_read_timeout 600s;
        }}
    }}
}}
"
    )
}
