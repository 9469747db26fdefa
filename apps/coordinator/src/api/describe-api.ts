import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { VERSION } from '../install.js';

/** Serves the API's description at /api/openapi.json. Whoever can reach the coordinator may read it: it holds no secret. */
export function describeApi(app: NestExpressApplication): void {
  const options = new DocumentBuilder()
    .setTitle('distrofarm')
    .setDescription('Builds operating-system images on a farm. Errors have the body FarmError.')
    .setVersion(VERSION)
    .addBearerAuth()
    .build();
  const document = SwaggerModule.createDocument(app, options);
  SwaggerModule.setup('api', app, document, {
    swaggerUiEnabled: false,
    jsonDocumentUrl: 'api/openapi.json',
    yamlDocumentUrl: '',
    raw: ['json'],
  });
}
