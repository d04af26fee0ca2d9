//! A look at the source stream itself, to see whether the event source left records out.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::ShardIteratorType;
use tidemill_core::SequenceNumber;

use crate::fault::Fault;

/// The source stream of a function, as far as the function looks at it.
#[derive(Clone, Debug)]
pub struct KinesisSource {
    client: Client,
}

impl KinesisSource {
    /// Streams of the client's account and region, by ARN.
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// The sequence number of the record that follows `position` in the shard, `None` if there is none now. If records
    /// behind the position have left the stream, it is the oldest that is still there.
    ///
    /// # Errors
    /// What the service said. The permissions are kinesis:GetShardIterator and kinesis:GetRecords, which Lambda's event
    /// source needs of the same role.
    pub async fn next_after(
        &self,
        stream: &str,
        shard: &str,
        position: &SequenceNumber,
    ) -> Result<Option<SequenceNumber>, String> {
        let iterator = self
            .client
            .get_shard_iterator()
            .set_stream_name(stream.rsplit('/').next().map(str::to_owned))
            .stream_arn(stream)
            .shard_id(shard)
            .shard_iterator_type(ShardIteratorType::AfterSequenceNumber)
            .starting_sequence_number(position.as_str())
            .send()
            .await
            .map_err(|error| Fault::of(&error).text)?;
        let Some(iterator) = iterator.shard_iterator else { return Ok(None) };
        let answer = self
            .client
            .get_records()
            .stream_arn(stream)
            .shard_iterator(iterator)
            .limit(1)
            .send()
            .await
            .map_err(|error| Fault::of(&error).text)?;
        Ok(answer.records.first().and_then(|record| SequenceNumber::parse(&record.sequence_number)))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_kinesis::primitives::Blob;

    use super::*;
    use crate::testing::KinesisServer;

    #[tokio::test]
    async fn the_record_behind_a_position_is_found_and_none_behind_the_last() {
        let client = KinesisServer::start(&[("source", 1)]).await.client;
        let described = client.describe_stream_summary().stream_name("source").send().await.expect("described");
        let stream = described.stream_description_summary.expect("a summary").stream_arn;
        let mut numbers = Vec::new();
        for _ in 0..3 {
            let put = client.put_record().stream_name("source").partition_key("k").data(Blob::new("x"));
            let put = put.send().await.expect("put");
            numbers.push(SequenceNumber::parse(&put.sequence_number).expect("digits"));
        }
        let source = KinesisSource::new(client);
        let after = async |number| source.next_after(&stream, "shardId-000000000000", number).await;
        assert_eq!(after(&numbers[0]).await, Ok(Some(numbers[1].clone())));
        assert_eq!(after(&numbers[2]).await, Ok(None));
        assert!(source.next_after(&stream, "shardId-000000000009", &numbers[0]).await.is_err());
    }
}
