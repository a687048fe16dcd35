//! Sends three records to Milena and reads them back in a consumer group: `cargo run -- 127.0.0.1:9092`.

use std::time::Duration;

use krafka::consumer::AutoOffsetReset;
use krafka::{Kafka, Record};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bootstrap = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9092".to_owned());
    let kafka = Kafka::builder(bootstrap).allow_auto_create_topics(true).connect().await?;

    let producer = kafka.producer().build().await?;
    for number in 1..=3 {
        let sent = producer.send(Record::new("greetings-rust", format!("hello {number} from Rust"))).await?;
        println!("sent to partition {} offset {}", sent.partition, sent.offset);
    }
    producer.close().await?;

    let consumer = kafka
        .consumer("rust-readers")
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .enable_auto_commit(false)
        .build()
        .await?;
    consumer.subscribe(["greetings-rust"]).await?;
    let mut read = 0;
    while read < 3 {
        for record in consumer.poll(Duration::from_secs(1)).await? {
            let value = record.value_str().unwrap_or_default();
            println!("read partition {} offset {}: {value}", record.partition, record.offset);
            read += 1;
        }
        consumer.commit().await?;
    }
    consumer.close().await?;
    Ok(())
}
