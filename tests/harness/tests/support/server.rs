//! A `serve` or `watch` that is up, for tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::Project;

/// A server that is up; killed with the value if it was not ended.
pub(crate) struct Server {
    process: Child,
    /// Where it listens.
    pub(crate) address: String,
}

impl Server {
    /// Starts a command on any free port and waits until it serves.
    pub(crate) fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        command.args(arguments).args(["--port", "0"]).current_dir(project.folder());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut stderr = BufReader::new(process.stderr.take().expect("piped"));
        let mut line = String::new();
        while !line.starts_with("serving ") {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).expect("read"), 0, "it ended");
        }
        process.stderr = Some(stderr.into_inner());
        let address = line.split("http://").nth(1).and_then(|rest| rest.split(' ').next()).expect("an address");
        Self { process, address: address.to_owned() }
    }

    /// One request, as an SDK sends it. Some are answered with nothing.
    pub(crate) fn ask(&self, target: &str, body: &Value) -> Value {
        let (service, json) = if target.starts_with("Dynamo") { ("dynamodb", "1.0") } else { ("kinesis", "1.1") };
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        write!(
            stream,
            "POST / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/x-amz-json-{json}\r\n\
             x-amz-target: {target}\r\nx-amz-date: 20260101T000000Z\r\nauthorization: AWS4-HMAC-SHA256 \
             Credential=local/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        if body.is_empty() {
            return Value::Null;
        }
        body.parse().unwrap_or_else(|_| panic!("no JSON: {answer}"))
    }

    /// Ends it with a signal; the exit code.
    pub(crate) fn end(mut self, signal: &str) -> Option<i32> {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().expect("kill runs");
        assert!(sent.success());
        self.process.wait().expect("ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only for a process that has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
