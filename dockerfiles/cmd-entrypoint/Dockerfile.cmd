FROM ubuntu:latest
RUN touch test
CMD ["ls", "--help"]
