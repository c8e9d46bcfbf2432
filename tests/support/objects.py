"""Prints what the objects of a bucket hold, a line `KEY<TAB>LINE` for each line.

    objects.py PORT make|cat
"""

import gzip
import sys

import boto3

client = boto3.client(
    "s3",
    endpoint_url=f"http://127.0.0.1:{sys.argv[1]}",
    region_name="eu-central-1",
    aws_access_key_id="key",
    aws_secret_access_key="secret",
)
if sys.argv[2] == "make":
    client.create_bucket(Bucket="logs", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
else:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="logs"):
        for entry in page.get("Contents", []):
            body = client.get_object(Bucket="logs", Key=entry["Key"])["Body"].read()
            for line in gzip.decompress(body).decode().splitlines():
                print(entry["Key"], line, sep="\t")
