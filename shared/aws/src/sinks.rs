//! [`Sink`] on streams and tables.

use tidemill_journal::{Deadline, Output, Sink, SinkError};

use crate::emit::worse;
use crate::{KinesisSink, TableSink};

/// Streams and tables: each output goes to the one that has its logical name; if both have it, to the stream.
#[derive(Clone, Debug)]
pub struct Sinks {
    streams: KinesisSink,
    tables: TableSink,
}

impl Sinks {
    /// Both together.
    pub const fn new(streams: KinesisSink, tables: TableSink) -> Self {
        Self { streams, tables }
    }

    fn unknown(&self, sink: &str) -> String {
        let known: Vec<&str> = self.streams.names().chain(self.tables.names()).collect();
        format!(
            "there is no sink `{sink}`, only {known:?}. Set the variable TIDEMILL_STREAM_… or TIDEMILL_TABLE_… of that \
             sink, at least until the outputs that wait for it in the journal are sent"
        )
    }
}

impl Sink for Sinks {
    fn objection(&self, output: &Output) -> Option<String> {
        if self.streams.knows(&output.sink) {
            self.streams.objection(output)
        } else if self.tables.knows(&output.sink) {
            self.tables.objection(output)
        } else {
            Some(self.unknown(&output.sink))
        }
    }

    async fn send(&self, outputs: &[Output], deadline: Deadline) -> Result<(), SinkError> {
        let (mut streams, mut tables, mut unknown) = (Vec::new(), Vec::new(), Ok(()));
        for output in outputs {
            if self.streams.knows(&output.sink) {
                streams.push(output.clone());
            } else if self.tables.knows(&output.sink) {
                tables.push(output.clone());
            } else {
                unknown = Err(SinkError::Refused(self.unknown(&output.sink)));
            }
        }
        let (streams, tables) =
            tokio::join!(self.streams.send(&streams, deadline), self.tables.send(&tables, deadline));
        [streams, tables].into_iter().fold(unknown, worse)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{KinesisServer, clients, dynamodb, unreachable};
    use crate::{SinkStream, SinkTable};

    fn streams(client: &aws_sdk_kinesis::Client) -> KinesisSink {
        let [sink, stream, variable] = ["results", "departures", "TIDEMILL_STREAM_RESULTS"].map(str::to_owned);
        KinesisSink::new(client.clone(), [SinkStream { sink, stream, variable }])
    }

    fn tables(client: &aws_sdk_dynamodb::Client, table: &str) -> TableSink {
        let [sink, table, variable] = ["latest", table, "TIDEMILL_TABLE_LATEST"].map(str::to_owned);
        TableSink::new(client.clone(), [SinkTable { sink, table, variable }])
    }

    fn output(sink: &str, key: &str) -> Output {
        let event = json!({"id": "1", "producer": "p", "commit": "1", "index": 0, "subject": key, "data": 1});
        Output { sink: sink.to_owned(), partition_key: key.to_owned(), data: event.to_string().into() }
    }

    async fn count(client: &aws_sdk_dynamodb::Client) -> i32 {
        client.scan().table_name("latest").send().await.expect("scanned").count
    }

    #[tokio::test]
    async fn each_output_goes_to_the_sink_that_has_its_name() {
        let (kinesis, client) = (KinesisServer::start(&[("departures", 1)]).await, dynamodb("latest").await);
        let sinks = Sinks::new(streams(&kinesis.client), tables(&client, "latest"));
        let outputs = ["results", "latest", "results", "latest", "latest"].iter().zip(["a", "b", "c", "d", "e"]);
        let outputs: Vec<Output> = outputs.map(|(sink, key)| output(sink, key)).collect();
        assert!(outputs.iter().all(|output| sinks.objection(output).is_none()));
        sinks.send(&outputs, Deadline::NONE).await.expect("all acknowledged");
        assert_eq!((kinesis.records("departures").await.len(), count(&client).await), (2, 3));
    }

    #[tokio::test]
    async fn each_sink_objects_to_its_own() {
        let nowhere = clients(&unreachable()).await;
        let sinks = Sinks::new(streams(&nowhere.kinesis), tables(&nowhere.dynamodb, "latest"));
        let objection = |output: &Output| sinks.objection(output).unwrap_or_default();
        let long = "k".repeat(257);
        assert!(objection(&output("results", &long)).contains("Kinesis takes 1 to 256 characters"));
        assert_eq!(objection(&output("latest", &long)), "");
        assert!(objection(&output("latest", &"k".repeat(3_000))).contains("a table takes 2048 bytes"));
        let unknown = objection(&output("alerts", "k"));
        assert!(unknown.contains(r#"there is no sink `alerts`, only ["results", "latest"]"#), "{unknown}");
        assert!(unknown.contains("TIDEMILL_STREAM_… or TIDEMILL_TABLE_…"), "{unknown}");
    }

    #[tokio::test]
    async fn what_fails_for_one_arrives_at_the_other_and_all_is_told() {
        let (kinesis, client) = (KinesisServer::start(&[]).await, dynamodb("latest").await);
        let sinks = Sinks::new(streams(&kinesis.client), tables(&client, "latest"));
        let outputs = ["alerts", "results", "latest"].map(|sink| output(sink, "k"));
        let failed = sinks.send(&outputs, Deadline::NONE).await.expect_err("no stream, no such sink");
        let SinkError::Refused(text) = &failed else { panic!("{failed}") };
        assert!(text.contains("no sink `alerts`") && text.contains("correct TIDEMILL_STREAM_RESULTS"), "{text}");
        assert_eq!(count(&client).await, 1);

        let sinks = Sinks::new(streams(&kinesis.client), tables(&client, "gone"));
        let failed = sinks.send(&outputs[1..], Deadline::NONE).await.expect_err("neither");
        let SinkError::Refused(text) = &failed else { panic!("{failed}") };
        assert!(text.contains("no such stream") && text.contains("no such table"), "{text}");
    }
}
