//! What a function runs: a Cargo binary, or a program that somebody else has built.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::Template;
use super::node::Node;
use super::property::Reader;

/// The name that Lambda starts in a function of `provided.al2023`.
const BOOTSTRAP: &str = "bootstrap";

/// What a function runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The Cargo binary of that name, which is built.
    Binary(String),
    /// A program that is there, in whatever language: `CodeUri/bootstrap`.
    Bootstrap(PathBuf),
}

impl Code {
    /// Reads it from `Metadata.BuildProperties.Binary`, else from what lies in `CodeUri`.
    pub(super) fn read(template: &Template, id: &str, node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let binary = node.at(&["Metadata", "BuildProperties", "Binary"]);
        if binary.is_some() {
            return reader.text(binary).map(Self::Binary);
        }
        let uri = node.at(&["Properties", "CodeUri"]).or_else(|| template.global("CodeUri"));
        let (line, uri) = (uri.map_or(node.line, |uri| uri.line), reader.text(uri));
        match uri.as_ref().map(|uri| bootstrap(&template.folder().join(uri))) {
            Some(Ok(path)) => Some(Self::Bootstrap(path)),
            Some(Err(why)) => {
                reader.problem(line, format!("`{id}` has no Metadata.BuildProperties.Binary, and its CodeUri {why}"));
                None
            }
            None => {
                let what = "the Cargo binary that it is, and no CodeUri, the folder of a program `bootstrap`";
                reader.problem(line, format!("`{id}` has no Metadata.BuildProperties.Binary, {what}"));
                None
            }
        }
    }

    /// The name by which messages call it.
    pub fn name(&self) -> String {
        match self {
            Self::Binary(name) => name.clone(),
            Self::Bootstrap(path) => path.display().to_string(),
        }
    }
}

/// The program in a folder, from the root on, or what is wrong with it.
fn bootstrap(folder: &Path) -> Result<PathBuf, String> {
    let path = std::path::absolute(folder.join(BOOTSTRAP)).map_err(|error| error.to_string())?;
    match path.metadata() {
        Err(_) => Err(format!("holds no program `{BOOTSTRAP}`: build it first")),
        Ok(found) if !is_executable(&found) => Err(format!("holds a `{BOOTSTRAP}` that is not executable")),
        Ok(_) => Ok(path),
    }
}

#[cfg(unix)]
pub(crate) fn is_executable(file: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.is_file() && file.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
pub(crate) fn is_executable(file: &Metadata) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::findings::Findings;

    /// What is read of a function with that line in its properties, or the problems.
    fn code(folder: &Path, line: &str) -> Result<Code, String> {
        let text = format!(
            "Resources:
  In: {{Type: AWS::Kinesis::Stream}}
  F:
    Type: AWS::Serverless::Function
    Properties:
      Events: {{In: {{Type: Kinesis, Properties: {{Stream: !GetAtt In.Arn, StartingPosition: LATEST}}}}}}
      {line}
"
        );
        let mut findings = Findings::default();
        let template = Template::parse(&folder.join("t.yaml"), &text, &mut findings).unwrap();
        let function = template.function("F", &BTreeMap::new(), &mut findings);
        findings.into_warnings().map_err(|error| error.to_string())?;
        Ok(function.unwrap().code)
    }

    #[test]
    fn a_program_in_the_code_folder_is_run_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let build = folder.path().join("build");
        std::fs::create_dir(&build).unwrap();
        let program = build.join(BOOTSTRAP);
        let error = code(folder.path(), "CodeUri: build/").unwrap_err();
        assert!(error.contains("t.yaml:7: `F` has no Metadata.BuildProperties.Binary"), "{error}");
        assert!(error.ends_with("its CodeUri holds no program `bootstrap`: build it first"), "{error}");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        assert!(code(folder.path(), "CodeUri: build/").unwrap_err().contains("not executable"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(code(folder.path(), "CodeUri: build/"), Ok(Code::Bootstrap(program)));
        }
    }

    #[test]
    fn without_binary_and_code_both_are_named() {
        let error = code(Path::new("."), "Timeout: 3").unwrap_err();
        assert!(error.contains("the Cargo binary that it is, and no CodeUri"), "{error}");
    }
}
