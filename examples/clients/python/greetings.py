"""Sends three records to Milena and reads them back in a consumer group: python3 greetings.py 127.0.0.1:9092"""

import sys

from kafka import KafkaConsumer, KafkaProducer

bootstrap = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9092"

producer = KafkaProducer(bootstrap_servers=bootstrap)
for number in range(1, 4):
    sent = producer.send("greetings-python", f"hello {number} from Python".encode()).get(timeout=10)
    print(f"sent to partition {sent.partition} offset {sent.offset}")
producer.close()

consumer = KafkaConsumer(
    "greetings-python",
    bootstrap_servers=bootstrap,
    group_id="python-readers",
    auto_offset_reset="earliest",
    enable_auto_commit=False,
)
read = 0
for record in consumer:
    print(f"read partition {record.partition} offset {record.offset}: {record.value.decode()}")
    read += 1
    if read == 3:
        break
consumer.commit()
consumer.close()
