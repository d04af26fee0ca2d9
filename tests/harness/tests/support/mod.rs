//! Project folders for tests of the command, and running it in them.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A template with a source, a sink and one function.
pub(crate) const TEMPLATE: &str = "\
Resources:
  In: {Type: AWS::Kinesis::Stream, Properties: {Name: in}}
  Out: {Type: AWS::Kinesis::Stream, Properties: {Name: out}}
  Journal:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}, {AttributeName: sk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}, {AttributeName: sk, KeyType: RANGE}]
  Function:
    Type: AWS::Serverless::Function
    Metadata: {BuildProperties: {Binary: function}}
    Properties:
      Timeout: 2
      Environment: {Variables: {TIDEMILL_STREAM_OUT: !Ref Out, TIDEMILL_JOURNAL_TABLE: !Ref Journal}}
      Events:
        In:
          Type: Kinesis
          Properties:
            Stream: !GetAtt In.Arn
            StartingPosition: TRIM_HORIZON
            BatchSize: 10
            FunctionResponseTypes: [ReportBatchItemFailures]
";

/// A scenario of that function.
pub(crate) const SCENARIO: &str = "title = \"Test\"\nfunction = \"Function\"\npartition_key = \"/key\"\n";

/// A project in a folder of its own, gone with the value.
pub(crate) struct Project {
    folder: TempDir,
}

/// What the command did.
pub(crate) struct Outcome {
    /// Its exit code.
    pub(crate) code: Option<i32>,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

impl Project {
    /// A project with that template and one scenario `test` of two records.
    pub(crate) fn new(template: &str, scenario: &str) -> Self {
        let folder = tempfile::tempdir().expect("no temporary folder");
        let project = Self { folder };
        project.write("template.yaml", template);
        project.write("events/test/scenario.toml", scenario);
        project.write("events/test/input.jsonl", "{\"key\":\"a\"}\n{\"key\":\"b\"}\n");
        project
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder().join(name);
        let parent = path.parent().expect("a file has a folder");
        std::fs::create_dir_all(parent).expect("cannot create a folder");
        std::fs::write(path, text).expect("cannot write a file");
    }

    /// Runs the command in the project's folder.
    pub(crate) fn tidemill(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        command.args(arguments).current_dir(self.folder());
        // The project is a workspace of its own, with a target folder of its own.
        command.env_remove("CARGO_TARGET_DIR").env_remove("TIDEMILL_LOG").env_remove("TIDEMILL_JOURNAL_TABLE");
        outcome(&mut command)
    }
}

/// Runs a command to its end.
pub(crate) fn outcome(command: &mut Command) -> Outcome {
    let Output { status, stdout, stderr } = command.output().expect("cannot run the command");
    Outcome {
        code: status.code(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
