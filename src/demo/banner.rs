//! What `dify-a2a demo` prints once it listens: lines to copy into a second terminal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Three calls that work as printed against a gateway that listens on `addr`: an answer in one piece, an answer
/// as a stream, and a question that needs the memory of the first.
pub fn banner(addr: SocketAddr) -> String {
    let base = format!("http://{}", reachable(addr));
    let hello = call(&base, "-s", "SendMessage", "demo-1", "My name is Alice");
    let stream = call(&base, "-sN", "SendStreamingMessage", "demo-2", "Hello, what can you do?");
    let recall = call(&base, "-s", "SendMessage", "demo-3", "What is my name?");
    format!(
        "The demo agent listens on {base}. It needs no Dify and no key. In another terminal:\n\
         \n\
         # tell it something\n{hello}\n\
         \n\
         # watch an answer as it comes\n{stream}\n\
         \n\
         # ask for what it was told: the context remembers\n{recall}\n\
         \n\
         # or talk to it\ndify-a2a chat {base}\n"
    )
}

fn call(base: &str, options: &str, method: &str, id: &str, text: &str) -> String {
    let message = format!(
        r#"{{"messageId":"{id}","contextId":"demo","role":"ROLE_USER","parts":[{{"text":"{text}"}}]}}"#
    );
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"message":{message}}}}}"#);
    format!("curl {options} {base}/a2a -H 'Content-Type: application/json' -H 'A2A-Version: 1.0' -d '{body}'")
}

/// The address under which this machine reaches a listener on `addr`.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_calls_can_be_copied_as_they_are() {
        let text = banner("0.0.0.0:4242".parse().unwrap());
        let calls: Vec<&str> = text.lines().filter(|line| line.starts_with("curl ")).collect();
        assert_eq!(calls.len(), 3);
        let bodies: Vec<serde_json::Value> = calls
            .iter()
            .map(|line| {
                assert!(line.contains(" http://127.0.0.1:4242/a2a "), "{line}");
                let body = line.split_once(" -d '").unwrap().1.strip_suffix('\'').unwrap();
                assert!(!body.contains('\''));
                serde_json::from_str(body).unwrap()
            })
            .collect();
        let methods: Vec<&str> = bodies.iter().map(|body| body["method"].as_str().unwrap()).collect();
        assert_eq!(methods, ["SendMessage", "SendStreamingMessage", "SendMessage"]);
        assert_eq!(bodies[0]["params"]["message"]["contextId"], bodies[2]["params"]["message"]["contextId"]);
        assert!(banner("[::]:80".parse().unwrap()).contains("http://[::1]:80/a2a"));
    }
}
