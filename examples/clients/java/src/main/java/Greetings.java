import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Sends three records to Milena and reads them back in a consumer group. */
public class Greetings {
    public static void main(String[] args) throws Exception {
        String bootstrap = args.length > 0 ? args[0] : "127.0.0.1:9092";

        Map<String, Object> sending = Map.of("bootstrap.servers", bootstrap);
        try (var producer = new KafkaProducer<>(sending, new StringSerializer(), new StringSerializer())) {
            for (int number = 1; number <= 3; number++) {
                var sent = producer.send(new ProducerRecord<>("greetings-java", "hello " + number + " from Java")).get();
                System.out.printf("sent to partition %d offset %d%n", sent.partition(), sent.offset());
            }
        }

        Map<String, Object> reading = Map.of(
            "bootstrap.servers", bootstrap,
            "group.id", "java-readers",
            "auto.offset.reset", "earliest",
            "enable.auto.commit", "false");
        try (var consumer = new KafkaConsumer<>(reading, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("greetings-java"));
            int read = 0;
            while (read < 3) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
                    System.out.printf("read partition %d offset %d: %s%n", record.partition(), record.offset(), record.value());
                    read++;
                }
                consumer.commitSync();
            }
        }
    }
}
