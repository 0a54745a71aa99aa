// Uppy's own S3 multipart, as its documentation sets it up for credentials in the page. bench/peers/uppy.py bundles it.
import AwsS3 from "@uppy/aws-s3";
import Uppy from "@uppy/core";

/**
 * Sends a file in parts of `partSize` bytes. Resolves with the seconds that this took.
 * @param {File} file
 * @param {object} storage
 */
window.sendWithUppy = async (file, { s3Endpoint, region, credentials, key, partSize }) => {
  const uppy = new Uppy();
  uppy.use(AwsS3, {
    s3Endpoint,
    region,
    getCredentials: async () => ({ credentials, region }),
    generateObjectKey: () => key,
    shouldUseMultipart: true,
    getChunkSize: () => partSize,
  });
  uppy.addFile({ name: file.name, type: file.type, data: file });
  const begun = performance.now();
  const { failed } = await uppy.upload();
  if (failed.length) throw new Error(String(failed[0].error));
  return (performance.now() - begun) / 1000;
};
